CREATE TABLE owners (
  owner_id INTEGER PRIMARY KEY,
  full_name TEXT NOT NULL,
  town TEXT,
  phone TEXT,
  client_since INTEGER
);

CREATE TABLE vets (
  vet_id INTEGER PRIMARY KEY,
  vet_name TEXT NOT NULL,
  specialty TEXT,
  hire_year INTEGER,
  salary INTEGER
);

CREATE TABLE animals (
  animal_id INTEGER PRIMARY KEY,
  animal_name TEXT NOT NULL,
  species TEXT,
  birth_year INTEGER,
  weight_kg REAL,
  owner_id INTEGER NOT NULL,
  FOREIGN KEY (owner_id) REFERENCES owners (owner_id)
);

CREATE TABLE visits (
  visit_id INTEGER PRIMARY KEY,
  animal_id INTEGER NOT NULL,
  vet_id INTEGER NOT NULL,
  visit_date DATE,
  reason TEXT,
  cost REAL,
  FOREIGN KEY (animal_id) REFERENCES animals (animal_id),
  FOREIGN KEY (vet_id) REFERENCES vets (vet_id)
);

CREATE TABLE vaccinations (
  vaccination_id INTEGER PRIMARY KEY,
  animal_id INTEGER NOT NULL,
  vaccine TEXT,
  given_on DATE,
  dose_ml REAL,
  FOREIGN KEY (animal_id) REFERENCES animals (animal_id)
);

INSERT INTO owners (owner_id, full_name, town, phone, client_since) VALUES
  (1, 'Harriet Cole', 'Westbury', '555-0111', 2012),
  (2, 'Miguel Santos', 'Westbury', '555-0134', 2016),
  (3, 'Yusuf Karim', 'Oakvale', '555-0150', 2018),
  (4, 'Clara Jensen', 'Oakvale', NULL, 2011),
  (5, 'Dmitri Volkov', 'Larkhill', '555-0172', 2020),
  (6, 'Fiona MacRae', 'Larkhill', '555-0188', 2014),
  (7, 'Bettina Krause', 'Westbury', '555-0193', 2019),
  (8, 'Ravi Menon', 'Stonebridge', '555-0206', 2021),
  (9, 'Alice Thornton', 'Oakvale', '555-0219', 2009),
  (10, 'Peter Nowak', 'Stonebridge', NULL, 2022),
  (11, 'Lena Hofmann', 'Dunmere', '555-0240', 2023),
  (12, 'George Adeyemi', 'Westbury', '555-0252', 2017);

INSERT INTO vets (vet_id, vet_name, specialty, hire_year, salary) VALUES
  (1, 'Dr Marian Frost', 'surgery', 2008, 84000),
  (2, 'Dr Idris Bello', 'dentistry', 2015, 71000),
  (3, 'Dr Sophie Leclerc', 'dermatology', 2018, 66500),
  (4, 'Dr Nathan Wu', 'surgery', 2012, 79000),
  (5, 'Dr Elena Rossi', 'general practice', 2020, 58000),
  (6, 'Dr Karl Brandt', 'general practice', 2010, 69000),
  (7, 'Dr Joan Whitaker', 'cardiology', 2016, 88000),
  (8, 'Dr Tariq Aziz', 'exotic animals', 2021, 61000),
  (9, 'Dr Priya Nair', NULL, 2022, 54500),
  (10, 'Dr Hugo Lund', 'general practice', 2023, 52000);

INSERT INTO animals (animal_id, animal_name, species, birth_year, weight_kg, owner_id) VALUES
  (1, 'Biscuit', 'dog', 2015, 24.5, 1),
  (2, 'Pepper', 'cat', 2018, 4.2, 1),
  (3, 'Rocco', 'dog', 2019, 31.0, 2),
  (4, 'Luna', 'cat', 2020, 3.8, 3),
  (5, 'Simba', 'cat', 2012, 5.6, 3),
  (6, 'Nibbles', 'rabbit', 2021, 1.9, 4),
  (7, 'Greta', 'dog', 2013, 18.2, 4),
  (8, 'Boris', 'dog', 2020, 42.3, 5),
  (9, 'Kiwi', 'parrot', 2010, 0.4, 6),
  (10, 'Hazel', 'rabbit', 2022, 2.1, 6),
  (11, 'Mango', 'parrot', 2017, 0.5, 7),
  (12, 'Shelly', 'tortoise', 1998, 6.7, 7),
  (13, 'Chai', 'cat', 2021, 4.0, 8),
  (14, 'Duchess', 'horse', 2011, 510.0, 9),
  (15, 'Clover', 'horse', 2016, 468.5, 9),
  (16, 'Scout', 'dog', 2022, 12.4, 9),
  (17, 'Otis', 'cat', 2016, 6.1, 10),
  (18, 'Pickle', 'rabbit', 2023, NULL, 12),
  (19, 'Bruno', 'dog', 2017, 28.7, 12);

INSERT INTO visits (visit_id, animal_id, vet_id, visit_date, reason, cost) VALUES
  (1, 1, 1, '2022-01-14', 'hip surgery', 890.0),
  (2, 1, 5, '2022-03-02', 'check-up', 55.0),
  (3, 2, 5, '2022-03-09', 'check-up', 50.0),
  (4, 3, 2, '2022-04-18', 'broken tooth', 240.0),
  (5, 4, 3, '2022-05-05', 'skin rash', 95.0),
  (6, 5, 7, '2022-05-23', 'heart murmur', 310.0),
  (7, 5, 7, '2022-07-11', 'heart murmur', 180.0),
  (8, 5, 6, '2022-09-30', 'check-up', 60.0),
  (9, 7, 4, '2022-06-08', 'tumour removal', 760.0),
  (10, 8, 6, '2022-06-21', 'limping', 120.0),
  (11, 8, 4, '2022-07-04', 'knee surgery', 980.0),
  (12, 9, 8, '2022-08-15', 'feather loss', 85.0),
  (13, 11, 8, '2022-08-29', 'beak trim', 40.0),
  (14, 12, 8, '2022-10-10', 'shell injury', 150.0),
  (15, 13, 5, '2022-10-27', 'ear infection', 75.0),
  (16, 14, 6, '2022-11-03', 'lameness', 210.0),
  (17, 14, 1, '2022-11-19', 'hoof surgery', 1250.0),
  (18, 15, 6, '2023-01-12', 'check-up', 130.0),
  (19, 16, 9, '2023-01-25', 'check-up', 45.0),
  (20, 16, 3, '2023-02-16', 'skin rash', 105.0),
  (21, 17, 2, '2023-03-07', 'gum disease', 195.0),
  (22, 19, 9, '2023-03-28', 'limping', 110.0),
  (23, 6, 8, '2023-04-13', 'overgrown teeth', 70.0),
  (24, 5, 7, '2023-05-02', 'heart murmur', 175.0),
  (25, 11, 8, '2023-05-16', 'feather loss', 90.0);

INSERT INTO vaccinations (vaccination_id, animal_id, vaccine, given_on, dose_ml) VALUES
  (1, 1, 'rabies', '2022-03-02', 1.0),
  (2, 1, 'parvovirus', '2022-03-02', 1.2),
  (3, 2, 'rabies', '2022-03-09', 0.8),
  (4, 3, 'rabies', '2022-04-25', 1.0),
  (5, 4, 'feline flu', '2022-05-12', 0.5),
  (6, 5, 'feline flu', '2022-09-30', 0.5),
  (7, 8, 'parvovirus', '2022-06-28', 1.5),
  (8, 13, 'feline flu', '2022-11-02', 0.6),
  (9, 13, 'rabies', '2022-11-02', 0.8),
  (10, 14, 'tetanus', '2022-11-03', 2.5),
  (11, 15, 'tetanus', '2023-01-12', 2.4),
  (12, 16, 'rabies', '2023-01-25', 0.9),
  (13, 16, 'parvovirus', '2023-01-25', 1.1),
  (14, 6, 'myxomatosis', '2023-04-13', 0.4),
  (15, 10, 'myxomatosis', '2023-04-20', 0.4);
