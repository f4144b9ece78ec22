CREATE TABLE depots (
  depot_id INTEGER PRIMARY KEY,
  depot_name TEXT NOT NULL,
  district TEXT,
  opened_year INTEGER,
  capacity INTEGER
);

CREATE TABLE routes (
  route_id INTEGER PRIMARY KEY,
  route_name TEXT NOT NULL,
  mode TEXT,
  length_km REAL,
  daily_riders INTEGER,
  depot_id INTEGER,
  FOREIGN KEY (depot_id) REFERENCES depots (depot_id)
);

CREATE TABLE stops (
  stop_id INTEGER PRIMARY KEY,
  stop_name TEXT NOT NULL,
  zone INTEGER,
  shelter TEXT,
  built_year INTEGER
);

CREATE TABLE route_stops (
  route_id INTEGER NOT NULL,
  stop_id INTEGER NOT NULL,
  position INTEGER,
  PRIMARY KEY (route_id, stop_id),
  FOREIGN KEY (route_id) REFERENCES routes (route_id),
  FOREIGN KEY (stop_id) REFERENCES stops (stop_id)
);

CREATE TABLE drivers (
  driver_id INTEGER PRIMARY KEY,
  driver_name TEXT NOT NULL,
  age INTEGER,
  hourly_wage REAL,
  years_of_service INTEGER,
  route_id INTEGER,
  FOREIGN KEY (route_id) REFERENCES routes (route_id)
);

INSERT INTO depots (depot_id, depot_name, district, opened_year, capacity) VALUES
  (1, 'Northgate Depot', 'Northgate', 1962, 85),
  (2, 'Canal Street Depot', 'Old Town', 1934, 40),
  (3, 'Riverside Yard', 'Riverside', 1988, 120),
  (4, 'Hillcrest Garage', 'Hillcrest', 2004, 60),
  (5, 'Airport Depot', 'Eastfield', 2015, 75),
  (6, 'Mill Lane Garage', 'Riverside', 1971, 30),
  (7, 'Southport Yard', 'Southport', 1999, 95),
  (8, 'Tannery Depot', 'Old Town', 1948, 25),
  (9, 'Quarry Road Garage', 'Hillcrest', 2019, 50),
  (10, 'Meadow Park Depot', 'Northgate', NULL, 45);

INSERT INTO routes (route_id, route_name, mode, length_km, daily_riders, depot_id) VALUES
  (1, 'Harbour Line', 'tram', 9.4, 18200, 3),
  (2, 'University Line', 'tram', 7.1, 21500, 2),
  (3, 'Crosstown Express', 'bus', 14.8, 9600, 1),
  (4, 'Hillcrest Loop', 'bus', 6.3, 4100, 4),
  (5, 'Airport Shuttle', 'bus', 22.5, 7300, 5),
  (6, 'Market Circle', 'bus', 5.2, 5900, 2),
  (7, 'Southport Metro', 'metro', 17.6, 48700, 7),
  (8, 'Northern Metro', 'metro', 20.1, 52300, 1),
  (9, 'River Ferry', 'ferry', 3.8, 1900, 3),
  (10, 'Night Owl', 'bus', 18.7, 1250, 3),
  (11, 'Garden Tram', 'tram', 4.9, 6800, 3),
  (12, 'Stadium Special', 'bus', 8.0, 2700, 1);

INSERT INTO stops (stop_id, stop_name, zone, shelter, built_year) VALUES
  (1, 'Central Station', 1, 'concrete', 1928),
  (2, 'Market Square', 1, 'glass', 1935),
  (3, 'City Hall', 1, 'glass', 1951),
  (4, 'University Gate', 2, 'glass', 1967),
  (5, 'Harbour Quay', 2, 'none', 1940),
  (6, 'Stadium', 2, 'concrete', 1990),
  (7, 'Botanic Garden', 2, 'none', 1974),
  (8, 'Hillcrest Avenue', 3, 'timber', 1983),
  (9, 'Northgate Plaza', 3, 'glass', 1998),
  (10, 'Southport Pier', 3, 'none', 1961),
  (11, 'Airport Terminal', 4, 'glass', 2015),
  (12, 'Industrial Park', 4, 'none', 2001),
  (13, 'Old Mill', 3, 'none', 1958),
  (14, 'Chapel Lane', 2, 'none', NULL),
  (15, 'Eastfield Junction', 4, 'timber', 2012);

INSERT INTO route_stops (route_id, stop_id, position) VALUES
  (1, 1, 1), (1, 2, 2), (1, 5, 3), (1, 10, 4),
  (2, 1, 1), (2, 3, 2), (2, 4, 3),
  (3, 9, 1), (3, 1, 2), (3, 6, 3), (3, 12, 4),
  (4, 8, 1), (4, 3, 2),
  (5, 1, 1), (5, 12, 2), (5, 11, 3),
  (6, 2, 1), (6, 3, 2), (6, 7, 3),
  (7, 1, 1), (7, 6, 2), (7, 13, 3), (7, 10, 4),
  (8, 10, 1), (8, 3, 2), (8, 1, 3), (8, 9, 4), (8, 4, 5),
  (9, 5, 1), (9, 10, 2),
  (11, 7, 1), (11, 1, 2);

INSERT INTO drivers (driver_id, driver_name, age, hourly_wage, years_of_service, route_id) VALUES
  (1, 'Marta Kowalczyk', 44, 27.5, 16, 1),
  (2, 'Desmond Clarke', 58, 31.2, 30, 8),
  (3, 'Anh Tran', 33, 24.8, 7, 2),
  (4, 'Gustavo Lima', 39, 25.6, 9, 3),
  (5, 'Ellen Sjoberg', 51, 29.4, 22, 7),
  (6, 'Kwame Boateng', 28, 22.1, 3, 4),
  (7, 'Rosa Delgado', 47, 28.0, 18, 7),
  (8, 'Patrick Nolan', 62, 32.0, 35, 8),
  (9, 'Sunita Rao', 36, 25.1, 8, 5),
  (10, 'Viktor Hansen', 25, 21.4, 1, 6),
  (11, 'Chloe Barnes', 30, 23.0, 4, 3),
  (12, 'Emeka Obi', 41, 26.3, 12, 1),
  (13, 'Julia Stern', 54, 30.1, 25, 11),
  (14, 'Rashid Khan', 29, 22.6, 2, 4),
  (15, 'Linda Moreau', 49, 28.7, 20, 5),
  (16, 'Noel Fitzgerald', 27, 21.9, 5, 3),
  (17, 'Hiroshi Abe', 45, 27.0, 14, 2);
