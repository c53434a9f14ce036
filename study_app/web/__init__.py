"""What a browser gets at an address: the app's pages, and a real 404 where there is none."""
