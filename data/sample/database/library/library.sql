CREATE TABLE authors (
  author_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  country TEXT,
  birth_year INTEGER
);

CREATE TABLE books (
  book_id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  author_id INTEGER NOT NULL,
  genre TEXT,
  publication_year INTEGER,
  pages INTEGER,
  copies INTEGER,
  FOREIGN KEY (author_id) REFERENCES authors (author_id)
);

CREATE TABLE members (
  member_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  city TEXT,
  age INTEGER,
  membership_type TEXT,
  join_date DATE
);

CREATE TABLE loans (
  loan_id INTEGER PRIMARY KEY,
  book_id INTEGER NOT NULL,
  member_id INTEGER NOT NULL,
  loan_date DATE,
  return_date DATE,
  fine REAL,
  FOREIGN KEY (book_id) REFERENCES books (book_id),
  FOREIGN KEY (member_id) REFERENCES members (member_id)
);

INSERT INTO authors (author_id, name, country, birth_year) VALUES
  (1, 'Ingrid Solberg', 'Norway', 1951),
  (2, 'Mateus Correia', 'Portugal', 1968),
  (3, 'Hana Kimura', 'Japan', 1974),
  (4, 'Declan Byrne', 'Ireland', 1939),
  (5, 'Amara Okafor', 'Nigeria', 1982),
  (6, 'Lucie Marchand', 'France', 1960),
  (7, 'Teodor Vasile', 'Romania', NULL),
  (8, 'Siobhan Keane', 'Ireland', 1977),
  (9, 'Kenji Watanabe', 'Japan', 1945),
  (10, 'Beatriz Fonseca', 'Portugal', 1990),
  (11, 'Olivier Garnier', 'France', 1955),
  (12, 'Astrid Nygaard', 'Norway', 1986);

INSERT INTO books (book_id, title, author_id, genre, publication_year, pages, copies) VALUES
  (1, 'The Salt Road', 1, 'novel', 1984, 312, 4),
  (2, 'Winter Harbour', 1, 'novel', 1991, 268, 2),
  (3, 'Letters from the Fjord', 1, 'memoir', 2009, 201, 1),
  (4, 'Tides of Lisbon', 2, 'history', 2001, 454, 3),
  (5, 'The Cork Merchant', 2, 'novel', 2010, 389, 5),
  (6, 'Paper Lanterns', 3, 'poetry', 2003, 96, 2),
  (7, 'The Glass Orchard', 3, 'novel', 2014, 340, 6),
  (8, 'Night Train to Nagoya', 3, 'mystery', 2018, 298, 7),
  (9, 'Bog and Barrow', 4, 'history', 1975, 522, 1),
  (10, 'A Lane in Kerry', 4, 'memoir', 1988, 240, 2),
  (11, 'The River Market', 5, 'novel', 2012, 365, 5),
  (12, 'Harmattan Songs', 5, 'poetry', 2016, 110, 3),
  (13, 'The Lighthouse Clock', 6, 'mystery', 1995, 276, 4),
  (14, 'Murder on the Quay', 6, 'mystery', 1998, 301, 4),
  (15, 'A Garden in Lyon', 6, 'memoir', 2005, 188, 2),
  (16, 'The Tin Whistle', 8, 'children', 2011, 64, 8),
  (17, 'Fox and Furrow', 8, 'children', 2015, 72, 9),
  (18, 'The Silent Pagoda', 9, 'mystery', 1979, 254, 3),
  (19, 'Roads of the Shogun', 9, 'history', 1986, 610, 2),
  (20, 'The River Between Towns', 10, 'novel', 2019, 283, 6),
  (21, 'Kings of Burgundy', 11, 'history', 1993, 575, 1),
  (22, 'The Orchard Ghost', 8, 'children', 2020, 80, NULL);

INSERT INTO members (member_id, name, city, age, membership_type, join_date) VALUES
  (1, 'Paula Reyes', 'Millbrook', 34, 'standard', '2018-03-12'),
  (2, 'Owen Tate', 'Millbrook', 67, 'senior', '2015-09-01'),
  (3, 'Grace Lindqvist', 'Ashford', 22, 'student', '2022-01-17'),
  (4, 'Samir Haddad', 'Ashford', 45, 'premium', '2016-06-23'),
  (5, 'Nora Whitfield', 'Kingsley', 71, 'senior', '2014-11-05'),
  (6, 'Tomas Berg', 'Kingsley', 19, 'student', '2023-02-08'),
  (7, 'Felicity Dunn', 'Millbrook', 52, 'premium', '2017-04-30'),
  (8, 'Jonas Adler', 'Ashford', 38, 'standard', '2019-08-14'),
  (9, 'Mei Chen', 'Fairview', 29, 'standard', '2020-10-02'),
  (10, 'Victor Almeida', 'Fairview', 58, 'premium', '2013-05-19'),
  (11, 'Ruth Okoye', 'Millbrook', 41, 'standard', '2021-07-26'),
  (12, 'Ivy Marsh', NULL, 24, 'student', '2022-09-11'),
  (13, 'Leon Fischer', 'Kingsley', 63, 'senior', '2019-12-03'),
  (14, 'Dana Petrov', 'Harrow', 31, 'standard', '2023-04-21');

INSERT INTO loans (loan_id, book_id, member_id, loan_date, return_date, fine) VALUES
  (1, 1, 1, '2023-01-09', '2023-01-30', 0),
  (2, 7, 1, '2023-02-14', '2023-03-20', 2.6),
  (3, 8, 2, '2023-01-20', '2023-02-03', 0),
  (4, 18, 2, '2023-02-05', '2023-02-25', 0),
  (5, 13, 2, '2023-03-01', '2023-04-12', 4.2),
  (6, 6, 3, '2023-02-18', '2023-03-02', 0),
  (7, 11, 3, '2023-03-05', '2023-03-26', 0),
  (8, 4, 4, '2023-01-11', '2023-03-04', 6.2),
  (9, 9, 4, '2023-03-06', '2023-04-20', 4.8),
  (10, 19, 4, '2023-04-22', NULL, NULL),
  (11, 14, 5, '2023-01-25', '2023-02-10', 0),
  (12, 8, 5, '2023-02-12', '2023-03-01', 0),
  (13, 3, 5, '2023-03-03', '2023-03-17', 0),
  (14, 20, 6, '2023-03-15', '2023-04-19', 2.8),
  (15, 7, 7, '2023-04-01', '2023-04-21', 0),
  (16, 5, 7, '2023-04-23', NULL, NULL),
  (17, 11, 7, '2023-01-15', '2023-02-02', 0),
  (18, 16, 8, '2023-02-20', '2023-03-08', 0),
  (19, 17, 8, '2023-03-08', '2023-03-24', 0),
  (20, 8, 9, '2023-03-10', '2023-04-15', 3.0),
  (21, 20, 9, '2023-04-25', NULL, NULL),
  (22, 1, 10, '2023-02-01', '2023-02-19', 0),
  (23, 2, 10, '2023-02-22', '2023-03-14', 0),
  (24, 10, 10, '2023-03-16', '2023-03-31', 0),
  (25, 4, 10, '2023-04-03', '2023-05-20', 5.4),
  (26, 7, 11, '2023-05-02', NULL, NULL),
  (27, 12, 11, '2023-03-21', '2023-04-04', 0),
  (28, 8, 13, '2023-04-18', '2023-05-06', 0);
