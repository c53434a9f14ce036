"""Storage: studies, stimuli, participants and their answers. Knows neither engine nor screen.

`db.session.Database` opens the file, `db.repository` holds the only write paths, `db.export` makes
the tables that leave it. Importing this package loads nothing; import the module you need.
"""
