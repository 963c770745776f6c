-- What a rack warns of at the moment, as a JSON list.
ALTER TABLE rack ADD COLUMN alarms TEXT NOT NULL DEFAULT '[]';
