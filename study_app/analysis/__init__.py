"""Tables of ratings for people: in the terminal and on the researchers' page."""
