CREATE TABLE artists (
  artist_id INTEGER PRIMARY KEY,
  artist_name TEXT NOT NULL,
  nationality TEXT,
  birth_year INTEGER,
  death_year INTEGER
);

CREATE TABLE rooms (
  room_id INTEGER PRIMARY KEY,
  room_name TEXT NOT NULL,
  floor INTEGER,
  area_sqm REAL
);

CREATE TABLE artworks (
  artwork_id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  artist_id INTEGER NOT NULL,
  room_id INTEGER,
  year_made INTEGER,
  medium TEXT,
  insured_amount INTEGER,
  FOREIGN KEY (artist_id) REFERENCES artists (artist_id),
  FOREIGN KEY (room_id) REFERENCES rooms (room_id)
);

CREATE TABLE exhibitions (
  exhibition_id INTEGER PRIMARY KEY,
  exhibition_title TEXT NOT NULL,
  start_date DATE,
  end_date DATE,
  ticket_price REAL,
  visitor_count INTEGER
);

CREATE TABLE exhibition_items (
  exhibition_id INTEGER NOT NULL,
  artwork_id INTEGER NOT NULL,
  wall_position INTEGER,
  PRIMARY KEY (exhibition_id, artwork_id),
  FOREIGN KEY (exhibition_id) REFERENCES exhibitions (exhibition_id),
  FOREIGN KEY (artwork_id) REFERENCES artworks (artwork_id)
);

INSERT INTO artists (artist_id, artist_name, nationality, birth_year, death_year) VALUES
  (1, 'Elise Varga', 'Hungarian', 1848, 1911),
  (2, 'Tobias Renn', 'Dutch', 1872, 1944),
  (3, 'Maria Oliveira', 'Portuguese', 1901, 1987),
  (4, 'Kenji Morita', 'Japanese', 1923, 2006),
  (5, 'Anton Lisk', 'Dutch', 1890, 1962),
  (6, 'Sunniva Aas', 'Norwegian', 1934, 2015),
  (7, 'Rosa Delgado', 'Mexican', 1957, NULL),
  (8, 'Pierre Colbert', 'French', 1831, 1899),
  (9, 'Zofia Malik', 'Polish', 1968, NULL),
  (10, 'Ibrahim Sow', 'Senegalese', 1979, NULL),
  (11, 'Camille Roux', 'French', 1915, 1993),
  (12, 'Hester Blom', 'Dutch', 1983, NULL),
  (13, 'Yuki Arai', 'Japanese', 1990, NULL);

INSERT INTO rooms (room_id, room_name, floor, area_sqm) VALUES
  (1, 'Garden Hall', 0, 210.0),
  (2, 'Blue Cabinet', 0, 45.5),
  (3, 'Long Gallery', 1, 180.0),
  (4, 'Print Room', 1, 62.0),
  (5, 'Tower Room', 2, 38.0),
  (6, 'Sculpture Court', 0, 260.0),
  (7, 'North Wing', 1, 125.0),
  (8, 'Skylight Studio', 2, 95.0),
  (9, 'Founders Room', 1, 70.5),
  (10, 'Cellar Vault', 0, 54.0);

INSERT INTO artworks (artwork_id, title, artist_id, room_id, year_made, medium, insured_amount) VALUES
  (1, 'Harvest at Dusk', 1, 1, 1882, 'oil', 420000),
  (2, 'The Ferryman', 1, 3, 1895, 'oil', 510000),
  (3, 'Canal in Winter', 2, 3, 1909, 'oil', 330000),
  (4, 'Tulip Study', 2, 4, 1915, 'watercolour', 48000),
  (5, 'Woman with Lantern', 3, 1, 1938, 'oil', 275000),
  (6, 'Fishing Nets', 3, 7, 1951, 'gouache', 62000),
  (7, 'Pine and Crane', 4, 4, 1960, 'woodcut', 39000),
  (8, 'Silent River', 4, 4, 1972, 'woodcut', 41500),
  (9, 'Dockworkers', 5, 7, 1926, 'oil', 190000),
  (10, 'Iron Bridge', 5, 3, 1931, 'etching', 22000),
  (11, 'Northern Stone', 6, 6, 1969, 'granite', 145000),
  (12, 'Seal', 6, 6, 1980, 'bronze', 98000),
  (13, 'Market Day', 7, 8, 1994, 'acrylic', 85000),
  (14, 'Red Courtyard', 7, 8, 2003, 'acrylic', 91000),
  (15, 'The Orchard Wall', 8, 1, 1867, 'oil', 640000),
  (16, 'Portrait of a Clerk', 8, 2, 1874, 'oil', 380000),
  (17, 'Folded Light', 9, 8, 2011, 'glass', 56000),
  (18, 'Dust Songs', 10, 7, 2016, 'photograph', 18500),
  (19, 'Crossing Sahel', 10, NULL, 2019, 'photograph', 21000),
  (20, 'Torso', 11, 6, 1958, 'bronze', 205000),
  (21, 'Woven Sea', 12, 5, 2020, 'textile', 34000),
  (22, 'Paper Storm', 12, NULL, 2022, 'textile', 29500),
  (23, 'Night Study', 11, 2, 1949, 'charcoal', 37500);

INSERT INTO exhibitions (exhibition_id, exhibition_title, start_date, end_date, ticket_price, visitor_count) VALUES
  (1, 'Low Lands', '2018-03-10', '2018-06-24', 12.0, 18400),
  (2, 'Carved and Cast', '2018-09-15', '2019-01-13', 14.0, 9650),
  (3, 'Women Who Paint', '2019-04-06', '2019-08-18', 15.0, 27300),
  (4, 'Ink and Block', '2019-10-05', '2020-02-02', 10.0, 7200),
  (5, 'Reopening', '2021-06-12', '2021-09-12', 8.0, 12100),
  (6, 'Water Roads', '2022-02-19', '2022-06-05', 13.0, 21900),
  (7, 'Fresh Threads', '2022-10-01', '2023-01-29', 11.0, 6800),
  (8, 'A Century of Oil', '2023-03-25', '2023-08-20', 16.5, 34200),
  (9, 'Lens on Africa', '2023-11-04', '2024-02-25', 9.5, 11350),
  (10, 'Quiet Stones', '2024-05-18', '2024-09-08', 12.5, NULL);

INSERT INTO exhibition_items (exhibition_id, artwork_id, wall_position) VALUES
  (1, 3, 1),
  (1, 4, 2),
  (1, 9, 3),
  (1, 10, 4),
  (2, 11, 1),
  (2, 12, 2),
  (2, 20, 3),
  (3, 1, 1),
  (3, 2, 2),
  (3, 5, 3),
  (3, 6, 4),
  (3, 13, 5),
  (4, 7, 1),
  (4, 8, 2),
  (4, 10, 3),
  (5, 1, 1),
  (5, 15, 2),
  (5, 13, 3),
  (6, 2, 1),
  (6, 3, 2),
  (6, 8, 3),
  (6, 6, 4),
  (7, 21, 1),
  (7, 22, 2),
  (8, 15, 1),
  (8, 16, 2),
  (8, 1, 3),
  (8, 2, 4),
  (8, 3, 5),
  (8, 5, 6),
  (9, 18, 1),
  (9, 19, 2);
