CREATE TABLE policyholders (
  holder_id INTEGER PRIMARY KEY,
  holder_name TEXT NOT NULL,
  town TEXT,
  birth_year INTEGER,
  occupation TEXT
);

CREATE TABLE adjusters (
  adjuster_id INTEGER PRIMARY KEY,
  adjuster_name TEXT NOT NULL,
  region TEXT,
  years_experience INTEGER
);

CREATE TABLE policies (
  policy_id INTEGER PRIMARY KEY,
  holder_id INTEGER NOT NULL,
  policy_type TEXT,
  start_date DATE,
  yearly_premium REAL,
  coverage_limit INTEGER,
  FOREIGN KEY (holder_id) REFERENCES policyholders (holder_id)
);

CREATE TABLE claims (
  claim_id INTEGER PRIMARY KEY,
  policy_id INTEGER NOT NULL,
  adjuster_id INTEGER NOT NULL,
  claim_date DATE,
  cause TEXT,
  claimed_amount REAL,
  paid_amount REAL,
  decision TEXT,
  FOREIGN KEY (policy_id) REFERENCES policies (policy_id),
  FOREIGN KEY (adjuster_id) REFERENCES adjusters (adjuster_id)
);

INSERT INTO policyholders (holder_id, holder_name, town, birth_year, occupation) VALUES
  (1, 'Martha Quill', 'Brackley', 1961, 'teacher'),
  (2, 'Samir Rahal', 'Eastmere', 1984, 'nurse'),
  (3, 'Helga Strand', 'Tolbury', 1975, 'architect'),
  (4, 'Colin Farrow', 'Brackley', 1990, 'electrician'),
  (5, 'Priya Nair', 'Eastmere', 1993, 'teacher'),
  (6, 'Otto Brandt', 'Windham', 1958, NULL),
  (7, 'Lucia Ferri', 'Tolbury', 1981, 'baker'),
  (8, 'Declan Moss', 'Windham', 1997, 'nurse'),
  (9, 'Agnes Dube', 'Brackley', 1969, 'lawyer'),
  (10, 'Viktor Sokol', 'Cressing', 1987, 'electrician'),
  (11, 'Hannah Lowe', 'Eastmere', 1972, 'teacher'),
  (12, 'Jamal Osei', 'Cressing', 2000, 'student'),
  (13, 'Beatriz Luna', 'Tolbury', 1965, 'lawyer'),
  (14, 'Erik Dahl', 'Farrowgate', 1979, 'carpenter');

INSERT INTO adjusters (adjuster_id, adjuster_name, region, years_experience) VALUES
  (1, 'Nora Whitfield', 'north', 12),
  (2, 'Simon Achebe', 'south', 7),
  (3, 'Teresa Golik', 'north', 3),
  (4, 'Ralph Denning', 'west', 21),
  (5, 'Mei Tan', 'south', 9),
  (6, 'Hugo Lindgren', 'east', 5),
  (7, 'Farah Aziz', 'west', 15),
  (8, 'Callum Reid', 'north', 1),
  (9, 'Joanna Krol', 'east', 17),
  (10, 'Percy Boateng', 'central', 4);

INSERT INTO policies (policy_id, holder_id, policy_type, start_date, yearly_premium, coverage_limit) VALUES
  (1, 1, 'home', '2015-03-01', 420.0, 250000),
  (2, 1, 'car', '2018-06-15', 510.0, 40000),
  (3, 2, 'car', '2019-01-10', 635.0, 50000),
  (4, 3, 'home', '2016-09-20', 560.0, 400000),
  (5, 3, 'travel', '2022-05-05', 95.0, 10000),
  (6, 4, 'car', '2021-02-14', 720.0, 35000),
  (7, 5, 'travel', '2023-01-20', 80.0, 8000),
  (8, 6, 'home', '2009-11-11', 390.0, 220000),
  (9, 6, 'boat', '2012-04-30', 875.0, 90000),
  (10, 7, 'car', '2017-08-08', 480.0, 45000),
  (11, 7, 'home', '2020-10-01', 445.0, 280000),
  (12, 8, 'travel', '2023-06-30', 110.0, 12000),
  (13, 9, 'home', '2014-12-12', 690.0, 500000),
  (14, 9, 'car', '2016-03-03', 530.0, 60000),
  (15, 9, 'pet', '2021-07-21', 180.0, 5000),
  (16, 10, 'car', '2022-11-18', 655.0, 30000),
  (17, 11, 'home', '2018-02-27', 405.0, 240000),
  (18, 11, 'pet', '2019-05-19', 165.0, 4000),
  (19, 12, 'travel', '2024-02-02', 75.0, 6000),
  (20, 13, 'boat', '2020-06-06', 990.0, 120000),
  (21, 13, 'car', '2013-10-25', 495.0, 55000);

INSERT INTO claims (claim_id, policy_id, adjuster_id, claim_date, cause, claimed_amount, paid_amount, decision) VALUES
  (1, 1, 1, '2021-02-08', 'water leak', 3200.0, 2700.0, 'approved'),
  (2, 2, 2, '2021-05-17', 'collision', 5400.0, 5400.0, 'approved'),
  (3, 3, 5, '2021-08-30', 'collision', 7150.0, 6000.0, 'approved'),
  (4, 4, 4, '2021-11-02', 'storm', 12800.0, 11000.0, 'approved'),
  (5, 6, 2, '2022-01-15', 'theft', 18000.0, 0.0, 'rejected'),
  (6, 8, 7, '2022-02-20', 'storm', 8600.0, 8100.0, 'approved'),
  (7, 9, 7, '2022-03-04', 'storm', 22500.0, 19500.0, 'approved'),
  (8, 10, 3, '2022-06-11', 'collision', 2300.0, 1900.0, 'approved'),
  (9, 3, 5, '2022-07-07', 'vandalism', 950.0, 650.0, 'approved'),
  (10, 5, 1, '2022-08-19', 'lost luggage', 1200.0, 900.0, 'approved'),
  (11, 13, 9, '2022-10-05', 'fire', 64000.0, 61000.0, 'approved'),
  (12, 14, 2, '2023-01-23', 'collision', 4100.0, 0.0, 'rejected'),
  (13, 15, 6, '2023-03-14', 'illness', 780.0, 700.0, 'approved'),
  (14, 7, 1, '2023-04-01', 'cancelled trip', 1650.0, 1500.0, 'approved'),
  (15, 11, 4, '2023-06-22', 'water leak', 4700.0, 0.0, 'rejected'),
  (16, 13, 9, '2023-09-09', 'storm', 9300.0, 8800.0, 'approved'),
  (17, 16, 5, '2023-10-31', 'theft', 14500.0, 13000.0, 'approved'),
  (18, 17, 4, '2023-12-27', 'fire', 27400.0, 26000.0, 'approved'),
  (19, 12, 3, '2024-02-18', 'missed flight', 600.0, 0.0, 'rejected'),
  (20, 18, 6, '2024-03-25', 'illness', 1340.0, 1100.0, 'approved'),
  (21, 20, 7, '2024-05-13', 'collision', 31000.0, NULL, 'pending'),
  (22, 6, 5, '2024-06-02', 'collision', 3650.0, NULL, 'pending'),
  (23, 4, 9, '2024-06-28', 'water leak', 5900.0, NULL, 'pending');
