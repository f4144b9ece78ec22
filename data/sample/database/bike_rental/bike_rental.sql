CREATE TABLE shops (
  shop_id INTEGER PRIMARY KEY,
  shop_name TEXT NOT NULL,
  district TEXT,
  opened_year INTEGER,
  staff_count INTEGER
);

CREATE TABLE bikes (
  bike_id INTEGER PRIMARY KEY,
  model_name TEXT NOT NULL,
  bike_type TEXT,
  daily_price REAL,
  purchase_year INTEGER,
  shop_id INTEGER NOT NULL,
  FOREIGN KEY (shop_id) REFERENCES shops (shop_id)
);

CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY,
  customer_name TEXT NOT NULL,
  home_city TEXT,
  age INTEGER,
  membership TEXT
);

CREATE TABLE rentals (
  rental_id INTEGER PRIMARY KEY,
  bike_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  start_date DATE,
  days INTEGER,
  amount_paid REAL,
  rating INTEGER,
  FOREIGN KEY (bike_id) REFERENCES bikes (bike_id),
  FOREIGN KEY (customer_id) REFERENCES customers (customer_id)
);

CREATE TABLE repairs (
  repair_id INTEGER PRIMARY KEY,
  bike_id INTEGER NOT NULL,
  repair_date DATE,
  fault TEXT,
  cost REAL,
  FOREIGN KEY (bike_id) REFERENCES bikes (bike_id)
);

INSERT INTO shops (shop_id, shop_name, district, opened_year, staff_count) VALUES
  (1, 'Harbour Wheels', 'Old Harbour', 2009, 8),
  (2, 'Pedal Point', 'Station Quarter', 2012, 11),
  (3, 'Green Spokes', 'Riverside', 2015, 5),
  (4, 'Hilltop Cycles', 'Castle Hill', 2011, 4),
  (5, 'City Saddle', 'Station Quarter', 2018, 9),
  (6, 'Lakeview Bikes', 'Lakeside', 2016, 6),
  (7, 'Freewheel Corner', 'Riverside', 2020, 3),
  (8, 'Chain and Bell', 'Old Harbour', 2022, 2),
  (9, 'Morning Ride', 'Lakeside', 2023, 7),
  (10, 'Twin Gears', 'University', 2024, 1);

INSERT INTO bikes (bike_id, model_name, bike_type, daily_price, purchase_year, shop_id) VALUES
  (1, 'Comet 200', 'city', 14.0, 2019, 1),
  (2, 'Comet 300', 'city', 16.0, 2021, 1),
  (3, 'Ridge Hawk', 'mountain', 27.5, 2020, 1),
  (4, 'Volt Rider', 'electric', 38.0, 2023, 2),
  (5, 'Volt Cargo', 'electric', 45.0, 2022, 2),
  (6, 'Breeze', 'city', 12.5, 2018, 2),
  (7, 'Falcon SL', 'road', 30.0, 2021, 2),
  (8, 'Stone Goat', 'mountain', 25.0, 2019, 3),
  (9, 'Willow', 'city', 13.0, 2020, 3),
  (10, 'Duo Tandem', 'tandem', 33.0, 2017, 3),
  (11, 'Ridge Eagle', 'mountain', 29.0, 2022, 4),
  (12, 'Stone Lynx', 'mountain', 26.0, 2021, 4),
  (13, 'Volt Summit', 'electric', 48.5, 2024, 4),
  (14, 'Falcon RX', 'road', 34.5, 2023, 5),
  (15, 'Metro', 'city', 15.0, 2022, 5),
  (16, 'Volt Metro', 'electric', 36.0, 2021, 5),
  (17, 'Heron', 'road', 28.0, 2018, 6),
  (18, 'Lake Tandem', 'tandem', 35.0, 2020, 6),
  (19, 'Daisy', 'city', 11.0, 2017, 6),
  (20, 'Swift', 'road', 31.0, 2020, 7),
  (21, 'Pebble', 'city', 12.0, 2023, 7),
  (22, 'Nomad', 'touring', 24.0, 2022, 8),
  (23, 'Nomad Plus', 'touring', 26.5, 2024, 8);

INSERT INTO customers (customer_id, customer_name, home_city, age, membership) VALUES
  (1, 'Ana Petrov', 'Marlow', 34, 'gold'),
  (2, 'Ben Achterberg', 'Marlow', 27, 'basic'),
  (3, 'Chloe Martin', 'Ashford', 41, 'silver'),
  (4, 'Diego Ramos', 'Seville', 23, NULL),
  (5, 'Emma Lindqvist', 'Uppsala', 52, 'gold'),
  (6, 'Farid Haddad', 'Marlow', 38, 'silver'),
  (7, 'Grace Oduya', 'Ashford', 30, 'basic'),
  (8, 'Hiro Tanabe', 'Kobe', 45, NULL),
  (9, 'Isla Morrison', 'Dunford', 19, 'basic'),
  (10, 'Jonas Weber', 'Lubeck', 61, 'gold'),
  (11, 'Katya Orlova', 'Ashford', 28, 'basic'),
  (12, 'Liam Byrne', 'Dunford', 36, 'silver'),
  (13, 'Mona Fischer', 'Lubeck', 49, NULL),
  (14, 'Nils Berg', 'Uppsala', 25, 'basic'),
  (15, 'Olivia Grant', 'Marlow', 56, 'silver'),
  (16, 'Pavel Novak', 'Brno', 33, 'basic');

INSERT INTO rentals (rental_id, bike_id, customer_id, start_date, days, amount_paid, rating) VALUES
  (1, 1, 1, '2023-04-12', 2, 28.0, 4),
  (2, 3, 1, '2023-05-20', 3, 82.5, 5),
  (3, 4, 2, '2023-05-28', 1, 38.0, 5),
  (4, 6, 3, '2023-06-03', 4, 50.0, 3),
  (5, 8, 4, '2023-06-10', 5, 125.0, 4),
  (6, 10, 5, '2023-06-17', 2, 66.0, 5),
  (7, 4, 6, '2023-06-24', 3, 114.0, 4),
  (8, 7, 6, '2023-07-01', 1, 30.0, 2),
  (9, 11, 7, '2023-07-08', 2, 58.0, NULL),
  (10, 14, 8, '2023-07-15', 7, 241.5, 5),
  (11, 16, 2, '2023-07-22', 2, 72.0, 4),
  (12, 2, 9, '2023-08-02', 1, 16.0, 3),
  (13, 17, 10, '2023-08-09', 6, 168.0, 4),
  (14, 18, 5, '2023-08-19', 1, 35.0, 5),
  (15, 20, 11, '2023-09-02', 3, 93.0, NULL),
  (16, 22, 12, '2023-09-16', 10, 240.0, 5),
  (17, 5, 1, '2024-04-06', 1, 45.0, 3),
  (18, 4, 3, '2024-04-20', 2, 76.0, 4),
  (19, 3, 6, '2024-05-04', 4, 110.0, 4),
  (20, 13, 10, '2024-05-18', 2, 97.0, 5),
  (21, 15, 7, '2024-05-25', 3, 45.0, 2),
  (22, 9, 11, '2024-06-01', 5, 65.0, 4),
  (23, 12, 14, '2024-06-08', 2, 52.0, 3),
  (24, 4, 8, '2024-06-22', 4, 152.0, 5),
  (25, 16, 1, '2024-07-06', 5, 180.0, 5),
  (26, 21, 14, '2024-07-13', 1, 12.0, NULL),
  (27, 23, 12, '2024-07-20', 8, 212.0, 4),
  (28, 14, 6, '2024-08-03', 2, 69.0, 3);

INSERT INTO repairs (repair_id, bike_id, repair_date, fault, cost) VALUES
  (1, 1, '2023-04-20', 'flat tyre', 18.0),
  (2, 3, '2023-06-01', 'broken chain', 42.5),
  (3, 4, '2023-07-03', 'battery failure', 210.0),
  (4, 6, '2023-07-10', 'worn brakes', 35.0),
  (5, 8, '2023-07-18', 'bent wheel', 64.0),
  (6, 10, '2023-08-01', 'flat tyre', 22.0),
  (7, 16, '2023-08-14', 'battery failure', 195.5),
  (8, 17, '2023-09-05', 'broken chain', 39.0),
  (9, 3, '2024-03-11', 'worn brakes', 37.0),
  (10, 4, '2024-05-09', 'flat tyre', 20.0),
  (11, 14, '2024-06-12', 'broken spoke', 28.0),
  (12, 4, '2024-07-02', 'worn brakes', 33.5),
  (13, 19, '2024-07-15', 'rusty gears', 51.0),
  (14, 23, '2024-08-10', 'flat tyre', 19.0);
