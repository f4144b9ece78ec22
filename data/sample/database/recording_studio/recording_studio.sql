CREATE TABLE artists (
  artist_id INTEGER PRIMARY KEY,
  stage_name TEXT NOT NULL,
  style TEXT,
  home_city TEXT,
  debut_year INTEGER
);

CREATE TABLE engineers (
  engineer_id INTEGER PRIMARY KEY,
  engineer_name TEXT NOT NULL,
  skill TEXT,
  hourly_fee INTEGER,
  experience_years INTEGER
);

CREATE TABLE rooms (
  room_id INTEGER PRIMARY KEY,
  room_name TEXT NOT NULL,
  floor INTEGER,
  area_sqm REAL,
  hourly_rate INTEGER
);

CREATE TABLE sessions (
  session_id INTEGER PRIMARY KEY,
  artist_id INTEGER NOT NULL,
  engineer_id INTEGER NOT NULL,
  room_id INTEGER NOT NULL,
  session_date DATE,
  hours REAL,
  FOREIGN KEY (artist_id) REFERENCES artists (artist_id),
  FOREIGN KEY (engineer_id) REFERENCES engineers (engineer_id),
  FOREIGN KEY (room_id) REFERENCES rooms (room_id)
);

CREATE TABLE tracks (
  track_id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  session_id INTEGER NOT NULL,
  duration_sec INTEGER,
  tempo_bpm INTEGER,
  status TEXT,
  FOREIGN KEY (session_id) REFERENCES sessions (session_id)
);

INSERT INTO artists (artist_id, stage_name, style, home_city, debut_year) VALUES
  (1, 'Velvet Static', 'indie rock', 'Leeds', 2014),
  (2, 'Mara Quill', 'folk', 'Galway', 2009),
  (3, 'The Brass Foxes', 'jazz', 'Leeds', 2003),
  (4, 'Kilo Saint', 'hip hop', 'London', 2018),
  (5, 'Ondine', 'electronic', 'Lyon', 2016),
  (6, 'Harlan Pike', 'folk', 'Bristol', 1998),
  (7, 'Neon Orchard', 'electronic', 'London', 2020),
  (8, 'Sable Quartet', 'jazz', 'Bristol', 1995),
  (9, 'Tin Roof Choir', 'gospel', 'London', 2011),
  (10, 'Cinder Lane', 'indie rock', 'Glasgow', 2019),
  (11, 'Juno Vale', 'folk', 'Galway', 2021),
  (12, 'Paper Comet', 'indie rock', 'Glasgow', NULL),
  (13, 'Isla Fen', 'folk', 'Cork', 2006);

INSERT INTO engineers (engineer_id, engineer_name, skill, hourly_fee, experience_years) VALUES
  (1, 'Adele Novak', 'mixing', 65, 14),
  (2, 'Bram Visser', 'mastering', 80, 21),
  (3, 'Carys Hughes', 'tracking', 45, 6),
  (4, 'Dion Achebe', 'tracking', 50, 9),
  (5, 'Esther Blum', 'mixing', 70, 17),
  (6, 'Finn Gallagher', 'tracking', 35, 2),
  (7, 'Giulia Serra', 'mastering', 75, 12),
  (8, 'Henrik Dahl', 'mixing', 55, 8),
  (9, 'Imani Cole', 'sound design', 60, 10),
  (10, 'Jasper Lowe', 'sound design', 40, 3);

INSERT INTO rooms (room_id, room_name, floor, area_sqm, hourly_rate) VALUES
  (1, 'Great Hall', 0, 140.0, 120),
  (2, 'Oak Room', 0, 62.5, 85),
  (3, 'Glass Room', 1, 48.0, 75),
  (4, 'Vocal Booth', 1, 9.5, 30),
  (5, 'Drum Cellar', -1, 36.0, 55),
  (6, 'Mix Suite', 2, 28.4, 65),
  (7, 'Mastering Suite', 2, 24.0, 70),
  (8, 'Piano Room', 0, 41.2, 60),
  (9, 'Attic', 3, 19.8, 25),
  (10, 'Echo Chamber', -1, 15.0, 20);

INSERT INTO sessions (session_id, artist_id, engineer_id, room_id, session_date, hours) VALUES
  (1, 1, 3, 2, '2023-01-10', 6.0),
  (2, 1, 1, 6, '2023-01-24', 8.0),
  (3, 2, 4, 8, '2023-02-02', 4.5),
  (4, 2, 5, 6, '2023-02-16', 5.0),
  (5, 3, 3, 1, '2023-02-20', 9.0),
  (6, 3, 1, 6, '2023-03-03', 7.0),
  (7, 3, 2, 7, '2023-03-17', 3.0),
  (8, 4, 9, 4, '2023-03-21', 5.5),
  (9, 4, 5, 6, '2023-04-04', 6.5),
  (10, 5, 9, 3, '2023-04-11', 7.5),
  (11, 5, 7, 7, '2023-04-25', 2.5),
  (12, 6, 4, 8, '2023-05-03', 4.0),
  (13, 7, 9, 3, '2023-05-09', 8.5),
  (14, 7, 8, 6, '2023-05-23', 6.0),
  (15, 8, 3, 1, '2023-06-01', 10.0),
  (16, 8, 2, 7, '2023-06-15', 3.5),
  (17, 9, 4, 1, '2023-06-20', 12.0),
  (18, 10, 6, 5, '2023-07-05', 5.0),
  (19, 10, 3, 2, '2023-07-12', 7.0),
  (20, 7, 9, 4, '2023-07-19', 3.0),
  (21, 9, 3, 1, '2023-08-02', 8.0);

INSERT INTO tracks (track_id, title, session_id, duration_sec, tempo_bpm, status) VALUES
  (1, 'Halogen', 1, 214, 128, 'released'),
  (2, 'Static Bloom', 1, 187, 140, 'released'),
  (3, 'Low Ceiling', 2, 243, 112, 'draft'),
  (4, 'Salt on the Sill', 3, 262, 84, 'released'),
  (5, 'Ferry Song', 3, 198, 92, 'mixed'),
  (6, 'Corner Booth Blues', 5, 351, 76, 'released'),
  (7, 'Midnight Tram', 5, 298, 118, 'released'),
  (8, 'Brass Tacks', 5, 276, 132, 'mixed'),
  (9, 'Saint of Nothing', 8, 173, 94, 'released'),
  (10, 'Kilo Code', 9, 161, 98, 'mixed'),
  (11, 'Undertow', 10, 305, 122, 'released'),
  (12, 'Glasswork', 10, 288, 124, 'draft'),
  (13, 'The Ferryman', 12, 229, 88, 'released'),
  (14, 'Orchard Lights', 13, 267, 126, 'mixed'),
  (15, 'Neon Rain', 13, 240, 130, 'released'),
  (16, 'Pulse Garden', 13, 332, 120, 'draft'),
  (17, 'Quartet in Blue', 15, 418, 72, 'released'),
  (18, 'Slow Waltz', 15, 366, 66, 'mixed'),
  (19, 'Higher Ground Road', 17, 284, 104, 'released'),
  (20, 'Tin Roof Morning', 17, 255, 96, 'released'),
  (21, 'Coal Dust', 18, 221, 136, 'draft'),
  (22, 'Cinder Heart', 19, 209, 144, 'mixed'),
  (23, 'Blue Hour Chorus', 21, NULL, 90, 'draft');
