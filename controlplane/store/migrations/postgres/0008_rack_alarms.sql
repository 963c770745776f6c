-- What a rack warns of at the moment, as a JSON list.
ALTER TABLE rack ADD COLUMN alarms TEXT COLLATE "C" NOT NULL DEFAULT '[]';
