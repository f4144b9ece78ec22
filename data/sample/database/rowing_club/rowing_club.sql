CREATE TABLE coaches (
  coach_id INTEGER PRIMARY KEY,
  coach_name TEXT NOT NULL,
  licence_level TEXT,
  joined_year INTEGER
);

CREATE TABLE members (
  member_id INTEGER PRIMARY KEY,
  member_name TEXT NOT NULL,
  age INTEGER,
  weight_kg REAL,
  squad TEXT,
  coach_id INTEGER,
  FOREIGN KEY (coach_id) REFERENCES coaches (coach_id)
);

CREATE TABLE boats (
  boat_id INTEGER PRIMARY KEY,
  boat_name TEXT NOT NULL,
  boat_class TEXT,
  seats INTEGER,
  built_year INTEGER,
  builder TEXT
);

CREATE TABLE outings (
  outing_id INTEGER PRIMARY KEY,
  boat_id INTEGER NOT NULL,
  member_id INTEGER NOT NULL,
  outing_date DATE,
  distance_km REAL,
  weather TEXT,
  FOREIGN KEY (boat_id) REFERENCES boats (boat_id),
  FOREIGN KEY (member_id) REFERENCES members (member_id)
);

CREATE TABLE race_entries (
  entry_id INTEGER PRIMARY KEY,
  boat_id INTEGER NOT NULL,
  regatta TEXT,
  race_date DATE,
  finish_place INTEGER,
  time_seconds REAL,
  FOREIGN KEY (boat_id) REFERENCES boats (boat_id)
);

INSERT INTO coaches (coach_id, coach_name, licence_level, joined_year) VALUES
  (1, 'Ingrid Falk', 'national', 2006),
  (2, 'Rory Maclean', 'regional', 2013),
  (3, 'Dana Kovacs', 'club', 2019),
  (4, 'Stefan Lutz', 'national', 2010),
  (5, 'Marisol Vega', 'club', 2021),
  (6, 'Peter Amadi', 'regional', 2016),
  (7, 'Yvonne Duval', 'club', 2023),
  (8, 'Hugh Trevor', 'regional', 2002),
  (9, 'Sanna Virtanen', 'national', 2018),
  (10, 'Oskar Brand', 'trainee', 2024);

INSERT INTO members (member_id, member_name, age, weight_kg, squad, coach_id) VALUES
  (1, 'Alfie Ward', 17, 68.5, 'junior', 3),
  (2, 'Bianca Rossi', 24, 61.0, 'senior', 1),
  (3, 'Conor Daly', 29, 88.0, 'senior', 1),
  (4, 'Dorota Zielinska', 33, 64.5, 'senior', 4),
  (5, 'Elliot Price', 16, 72.0, 'junior', 3),
  (6, 'Freya Holm', 21, 70.5, 'senior', 4),
  (7, 'Gideon Marsh', 52, 83.0, 'masters', 2),
  (8, 'Hana Suzuki', 18, 58.0, 'junior', 5),
  (9, 'Ivan Petrenko', 47, 91.5, 'masters', 2),
  (10, 'Judith Kemp', 58, 66.0, 'masters', 8),
  (11, 'Karl Eriksen', 26, 85.5, 'senior', 1),
  (12, 'Leila Nasser', 39, 59.5, 'novice', 6),
  (13, 'Miles Tanner', 44, 79.0, 'novice', 6),
  (14, 'Nadia Popova', 23, 74.0, 'senior', 9),
  (15, 'Owen Clarke', 61, 77.5, 'masters', 8),
  (16, 'Pia Lorenz', 30, 62.5, 'novice', NULL),
  (17, 'Quentin Roy', 15, 63.0, 'junior', 5),
  (18, 'Rhea Kapoor', 27, 67.0, 'novice', NULL);

INSERT INTO boats (boat_id, boat_name, boat_class, seats, built_year, builder) VALUES
  (1, 'Kingfisher', 'single', 1, 2012, 'Harlow'),
  (2, 'Dragonfly', 'single', 1, 2019, 'Vespoli'),
  (3, 'Silver Birch', 'double', 2, 2015, 'Harlow'),
  (4, 'Otter', 'double', 2, 2021, 'Marlin'),
  (5, 'Thunder', 'quad', 4, 2017, 'Vespoli'),
  (6, 'Old Faithful', 'four', 4, 2003, 'Harlow'),
  (7, 'North Star', 'eight', 8, 2018, 'Vespoli'),
  (8, 'River Queen', 'eight', 8, 2009, 'Sundby'),
  (9, 'Swallow', 'single', 1, 2022, 'Marlin'),
  (10, 'Tempest', 'four', 4, 2020, 'Marlin'),
  (11, 'Grey Heron', 'pair', 2, 2014, 'Sundby'),
  (12, 'Bluebell', 'quad', 4, 2006, 'Sundby'),
  (13, 'Comet', 'pair', 2, 2023, 'Marlin');

INSERT INTO outings (outing_id, boat_id, member_id, outing_date, distance_km, weather) VALUES
  (1, 1, 2, '2023-03-04', 8.0, 'sunny'),
  (2, 1, 1, '2023-03-05', 6.5, 'windy'),
  (3, 3, 4, '2023-03-11', 10.0, 'cloudy'),
  (4, 3, 6, '2023-03-18', 12.5, 'sunny'),
  (5, 2, 8, '2023-04-01', 5.0, 'rain'),
  (6, 5, 3, '2023-04-15', 14.0, 'sunny'),
  (7, 7, 11, '2023-04-22', 16.0, 'cloudy'),
  (8, 6, 7, '2023-05-06', 9.0, 'sunny'),
  (9, 6, 9, '2023-05-13', 9.5, 'windy'),
  (10, 4, 12, '2023-05-20', 4.0, 'sunny'),
  (11, 4, 13, '2023-05-27', 4.5, 'cloudy'),
  (12, 1, 2, '2023-06-03', 11.0, 'sunny'),
  (13, 9, 14, '2023-06-10', 13.0, 'sunny'),
  (14, 8, 15, '2023-06-17', 7.0, 'rain'),
  (15, 10, 3, '2023-06-24', 15.0, 'windy'),
  (16, 7, 6, '2023-07-01', 18.0, 'sunny'),
  (17, 1, 5, '2023-07-08', 7.5, 'sunny'),
  (18, 5, 4, '2023-07-15', 13.5, 'cloudy'),
  (19, 3, 10, '2023-07-22', 6.0, 'rain'),
  (20, 11, 7, '2023-08-05', 8.5, 'sunny'),
  (21, 9, 2, '2023-08-12', 12.0, 'cloudy'),
  (22, 10, 11, '2023-08-19', 17.0, 'sunny'),
  (23, 7, 14, '2023-09-02', 21.5, 'windy'),
  (24, 6, 10, '2023-09-09', 5.5, 'sunny');

INSERT INTO race_entries (entry_id, boat_id, regatta, race_date, finish_place, time_seconds) VALUES
  (1, 1, 'Spring Head', '2023-04-29', 2, 512.4),
  (2, 3, 'Spring Head', '2023-04-29', 4, 478.0),
  (3, 7, 'Spring Head', '2023-04-29', 1, 391.6),
  (4, 5, 'Bridge Sprint', '2023-06-18', 3, 425.2),
  (5, 10, 'Bridge Sprint', '2023-06-18', 1, 417.9),
  (6, 9, 'Bridge Sprint', '2023-06-18', 5, 530.7),
  (7, 2, 'Bridge Sprint', '2023-06-18', 6, 541.3),
  (8, 7, 'Castle Regatta', '2023-07-30', 2, 388.5),
  (9, 8, 'Castle Regatta', '2023-07-30', 7, 420.8),
  (10, 6, 'Castle Regatta', '2023-07-30', 8, 463.1),
  (11, 10, 'Castle Regatta', '2023-07-30', 3, 421.5),
  (12, 1, 'Autumn Cup', '2023-10-14', 1, 505.8),
  (13, 4, 'Autumn Cup', '2023-10-14', 4, 489.9),
  (14, 7, 'Autumn Cup', '2023-10-14', 1, 385.0),
  (15, 5, 'Autumn Cup', '2023-10-14', NULL, NULL),
  (16, 11, 'Autumn Cup', '2023-10-14', 3, 470.6);
