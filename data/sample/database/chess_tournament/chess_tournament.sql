CREATE TABLE players (
  player_id INTEGER PRIMARY KEY,
  player_name TEXT NOT NULL,
  country TEXT,
  birth_year INTEGER,
  rating INTEGER,
  title TEXT
);

CREATE TABLE tournaments (
  tournament_id INTEGER PRIMARY KEY,
  tournament_name TEXT NOT NULL,
  host_city TEXT,
  start_date DATE,
  rounds INTEGER,
  prize_fund INTEGER
);

CREATE TABLE registrations (
  tournament_id INTEGER NOT NULL,
  player_id INTEGER NOT NULL,
  final_rank INTEGER,
  points REAL,
  PRIMARY KEY (tournament_id, player_id),
  FOREIGN KEY (tournament_id) REFERENCES tournaments (tournament_id),
  FOREIGN KEY (player_id) REFERENCES players (player_id)
);

CREATE TABLE games (
  game_id INTEGER PRIMARY KEY,
  tournament_id INTEGER NOT NULL,
  white_player_id INTEGER NOT NULL,
  black_player_id INTEGER NOT NULL,
  opening TEXT,
  moves INTEGER,
  result TEXT,
  FOREIGN KEY (tournament_id) REFERENCES tournaments (tournament_id),
  FOREIGN KEY (white_player_id) REFERENCES players (player_id),
  FOREIGN KEY (black_player_id) REFERENCES players (player_id)
);

INSERT INTO players (player_id, player_name, country, birth_year, rating, title) VALUES
  (1, 'Arvid Solberg', 'Norway', 1988, 2561, 'grandmaster'),
  (2, 'Leticia Campos', 'Brazil', 1995, 2402, 'international master'),
  (3, 'Zoltan Barta', 'Hungary', 1979, 2534, 'grandmaster'),
  (4, 'Noor Rahman', 'Bangladesh', 2001, 2318, 'fide master'),
  (5, 'Emil Novotny', 'Czechia', 1992, 2477, 'international master'),
  (6, 'Saoirse Flynn', 'Ireland', 1999, 2255, 'fide master'),
  (7, 'Dariusz Wilk', 'Poland', 1983, 2590, 'grandmaster'),
  (8, 'Akira Endo', 'Japan', 2004, 2190, NULL),
  (9, 'Kristof Nagy', 'Hungary', 1997, 2436, 'international master'),
  (10, 'Hanna Wolska', 'Poland', 2003, 2287, 'fide master'),
  (11, 'Per Holmgren', 'Norway', 1970, 2350, 'international master'),
  (12, 'Tadeo Rios', 'Brazil', 2006, 2105, NULL),
  (13, 'Ilse Janssen', 'Belgium', 1990, 2229, 'fide master'),
  (14, 'Marta Zielak', 'Poland', 1986, 2369, 'international master'),
  (15, 'Gustav Ek', 'Sweden', 1965, 2140, NULL);

INSERT INTO tournaments (tournament_id, tournament_name, host_city, start_date, rounds, prize_fund) VALUES
  (1, 'Fjord Open', 'Bergen', '2022-07-02', 9, 15000),
  (2, 'Danube Masters', 'Budapest', '2022-10-15', 9, 22000),
  (3, 'Harbour Rapid', 'Gdansk', '2023-02-11', 7, 6000),
  (4, 'Carioca Classic', 'Recife', '2023-05-20', 7, 8000),
  (5, 'Emerald Cup', 'Galway', '2023-08-05', 6, 5000),
  (6, 'Amber Invitational', 'Gdansk', '2023-11-18', 9, 30000),
  (7, 'Castle Open', 'Brno', '2024-03-09', 8, 12000),
  (8, 'Midnight Sun Blitz', 'Tromso', '2024-06-22', 11, 4000),
  (9, 'Canal Weekender', 'Ghent', '2024-09-14', 5, 2500),
  (10, 'New Year Festival', 'Bergen', '2024-12-28', 9, 18000);

INSERT INTO registrations (tournament_id, player_id, final_rank, points) VALUES
  (1, 1, 1, 7.5),
  (1, 5, 2, 7.0),
  (1, 11, 3, 6.0),
  (1, 4, 4, 5.5),
  (2, 3, 1, 7.0),
  (2, 7, 2, 6.5),
  (2, 9, 3, 6.0),
  (2, 2, 4, 5.0),
  (3, 7, 1, 6.0),
  (3, 10, 2, 5.5),
  (3, 14, 3, 4.5),
  (4, 2, 1, 6.5),
  (4, 12, 2, 4.0),
  (5, 6, 1, 5.0),
  (5, 13, 2, 4.5),
  (6, 7, 1, 7.5),
  (6, 1, 2, 7.0),
  (6, 3, 3, 6.5),
  (6, 14, 4, 5.0),
  (7, 5, 1, 6.5),
  (7, 9, 2, 6.0),
  (7, 10, 3, 5.0),
  (8, 1, 1, 9.5),
  (8, 11, 2, 8.0),
  (9, 13, 1, 4.5),
  (9, 8, 2, 3.5),
  (10, 4, NULL, NULL),
  (10, 6, NULL, NULL);

INSERT INTO games (game_id, tournament_id, white_player_id, black_player_id, opening, moves, result) VALUES
  (1, 1, 1, 5, 'Ruy Lopez', 48, 'draw'),
  (2, 1, 4, 1, 'Sicilian Defence', 31, 'black win'),
  (3, 1, 5, 11, 'Catalan', 57, 'white win'),
  (4, 2, 3, 7, 'Queens Gambit', 62, 'draw'),
  (5, 2, 9, 3, 'Caro-Kann', 40, 'black win'),
  (6, 2, 7, 2, 'English Opening', 36, 'white win'),
  (7, 3, 7, 10, 'Sicilian Defence', 44, 'white win'),
  (8, 3, 14, 10, 'French Defence', 52, 'black win'),
  (9, 4, 2, 12, 'Italian Game', 27, 'white win'),
  (10, 5, 13, 6, 'Sicilian Defence', 39, 'draw'),
  (11, 6, 7, 1, 'Catalan', 71, 'draw'),
  (12, 6, 1, 3, 'Ruy Lopez', 55, 'white win'),
  (13, 6, 14, 7, 'Queens Gambit', 33, 'black win'),
  (14, 7, 5, 9, 'Sicilian Defence', 46, 'white win'),
  (15, 7, 10, 5, 'French Defence', 29, 'black win'),
  (16, 8, 11, 1, 'Kings Indian', 66, 'draw'),
  (17, 9, 8, 13, 'Italian Game', 34, 'black win');
