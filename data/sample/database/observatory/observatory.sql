CREATE TABLE telescopes (
  telescope_id INTEGER PRIMARY KEY,
  telescope_name TEXT NOT NULL,
  telescope_type TEXT,
  aperture_m REAL,
  first_light_year INTEGER,
  altitude_m INTEGER
);

CREATE TABLE astronomers (
  astronomer_id INTEGER PRIMARY KEY,
  full_name TEXT NOT NULL,
  institute TEXT,
  research_field TEXT,
  papers INTEGER
);

CREATE TABLE targets (
  target_id INTEGER PRIMARY KEY,
  target_name TEXT NOT NULL,
  target_class TEXT,
  constellation TEXT,
  magnitude REAL,
  distance_ly REAL
);

CREATE TABLE observations (
  observation_id INTEGER PRIMARY KEY,
  telescope_id INTEGER NOT NULL,
  astronomer_id INTEGER NOT NULL,
  target_id INTEGER NOT NULL,
  night DATE,
  exposure_min INTEGER,
  seeing REAL,
  FOREIGN KEY (telescope_id) REFERENCES telescopes (telescope_id),
  FOREIGN KEY (astronomer_id) REFERENCES astronomers (astronomer_id),
  FOREIGN KEY (target_id) REFERENCES targets (target_id)
);

INSERT INTO telescopes (telescope_id, telescope_name, telescope_type, aperture_m, first_light_year, altitude_m) VALUES
  (1, 'Aldous Reflector', 'reflector', 3.6, 1976, 2400),
  (2, 'Kestrel Survey Camera', 'reflector', 1.2, 2008, 2410),
  (3, 'Old Meridian', 'refractor', 0.6, 1897, 350),
  (4, 'Southern Giant', 'reflector', 8.2, 2001, 2635),
  (5, 'Basalt Dish', 'radio', 32.0, 1969, 1120),
  (6, 'Lark Array', 'radio', 12.0, 2013, 5050),
  (7, 'Solar Tower', 'solar', 0.9, 1984, 2395),
  (8, 'Student Refractor', 'refractor', 0.3, 1958, 340),
  (9, 'Ridge Twin', 'reflector', 2.5, 1994, 2420),
  (10, 'Polar Dome', 'infrared', 1.8, NULL, 2800);

INSERT INTO astronomers (astronomer_id, full_name, institute, research_field, papers) VALUES
  (1, 'Leonora Vance', 'Cape Institute', 'galaxies', 112),
  (2, 'Ravindra Iyer', 'Deccan University', 'pulsars', 87),
  (3, 'Marguerite Dubois', 'Grenoble Centre', 'exoplanets', 64),
  (4, 'Johan Eklund', 'Uppland University', 'galaxies', 45),
  (5, 'Naomi Sato', 'Cape Institute', 'exoplanets', 38),
  (6, 'Pablo Herrera', 'Andes Observatory', 'nebulae', 53),
  (7, 'Wanjiru Kamau', 'Cape Institute', 'pulsars', 21),
  (8, 'Oskar Lindt', 'Uppland University', 'variable stars', 76),
  (9, 'Celeste Moreno', 'Andes Observatory', 'nebulae', 17),
  (10, 'Tobias Engel', 'Grenoble Centre', 'solar physics', 92),
  (11, 'Yara Nasser', NULL, 'exoplanets', 5);

INSERT INTO targets (target_id, target_name, target_class, constellation, magnitude, distance_ly) VALUES
  (1, 'Andromeda Galaxy', 'galaxy', 'Andromeda', 3.4, 2537000),
  (2, 'Whirlpool Galaxy', 'galaxy', 'Canes Venatici', 8.4, 31000000),
  (3, 'Orion Nebula', 'nebula', 'Orion', 4.0, 1344),
  (4, 'Crab Pulsar', 'pulsar', 'Taurus', 16.5, 6500),
  (5, 'Ring Nebula', 'nebula', 'Lyra', 8.8, 2570),
  (6, 'Vega', 'star', 'Lyra', 0.03, 25),
  (7, 'Betelgeuse', 'star', 'Orion', 0.5, 548),
  (8, 'Vela Pulsar', 'pulsar', 'Vela', 23.6, 960),
  (9, 'Mira', 'star', 'Cetus', 6.5, 300),
  (10, 'Sombrero Galaxy', 'galaxy', 'Virgo', 8.0, 29350000),
  (11, 'Sun', 'star', NULL, -26.7, 0.0000158),
  (12, 'Horsehead Nebula', 'nebula', 'Orion', 6.8, 1375),
  (13, 'Trappist-1', 'star', 'Aquarius', 18.8, 40.7);

INSERT INTO observations (observation_id, telescope_id, astronomer_id, target_id, night, exposure_min, seeing) VALUES
  (1, 1, 1, 1, '2023-09-04', 120, 0.9),
  (2, 1, 4, 2, '2023-09-05', 150, 1.1),
  (3, 4, 1, 10, '2023-09-07', 90, 0.6),
  (4, 4, 3, 13, '2023-09-08', 240, 0.5),
  (5, 5, 2, 4, '2023-09-10', 300, NULL),
  (6, 5, 7, 8, '2023-09-11', 280, NULL),
  (7, 6, 2, 8, '2023-09-13', 200, NULL),
  (8, 9, 6, 3, '2023-09-15', 75, 1.0),
  (9, 9, 6, 12, '2023-09-16', 110, 1.2),
  (10, 2, 8, 9, '2023-09-18', 30, 1.4),
  (11, 2, 8, 7, '2023-09-19', 12, 1.3),
  (12, 3, 8, 6, '2023-09-21', 15, 2.2),
  (13, 7, 10, 11, '2023-09-22', 480, 1.7),
  (14, 4, 5, 13, '2023-09-24', 210, 0.7),
  (15, 9, 9, 3, '2023-09-26', 60, 0.9),
  (16, 4, 4, 1, '2023-09-28', 95, 0.8),
  (17, 1, 6, 12, '2023-10-02', 130, 1.0),
  (18, 4, 1, 2, '2023-10-03', 105, 0.6),
  (19, 1, 1, 2, '2023-10-05', 140, 1.2);
