CREATE TABLE hotels (
  hotel_id INTEGER PRIMARY KEY,
  hotel_name TEXT NOT NULL,
  city TEXT,
  stars INTEGER,
  opened_year INTEGER,
  parking TEXT
);

CREATE TABLE rooms (
  room_id INTEGER PRIMARY KEY,
  hotel_id INTEGER NOT NULL,
  room_number INTEGER,
  room_type TEXT,
  nightly_price REAL,
  max_guests INTEGER,
  FOREIGN KEY (hotel_id) REFERENCES hotels (hotel_id)
);

CREATE TABLE guests (
  guest_id INTEGER PRIMARY KEY,
  guest_name TEXT NOT NULL,
  nationality TEXT,
  age INTEGER,
  loyalty_level TEXT
);

CREATE TABLE bookings (
  booking_id INTEGER PRIMARY KEY,
  guest_id INTEGER NOT NULL,
  room_id INTEGER NOT NULL,
  check_in DATE,
  nights INTEGER,
  total_price REAL,
  channel TEXT,
  FOREIGN KEY (guest_id) REFERENCES guests (guest_id),
  FOREIGN KEY (room_id) REFERENCES rooms (room_id)
);

CREATE TABLE employees (
  employee_id INTEGER PRIMARY KEY,
  employee_name TEXT NOT NULL,
  job_title TEXT,
  monthly_salary INTEGER,
  hotel_id INTEGER NOT NULL,
  FOREIGN KEY (hotel_id) REFERENCES hotels (hotel_id)
);

INSERT INTO hotels (hotel_id, hotel_name, city, stars, opened_year, parking) VALUES
  (1, 'Grand Meridian', 'Vienna', 5, 1911, 'garage'),
  (2, 'Lindenhof', 'Salzburg', 4, 1968, 'outdoor'),
  (3, 'Casa Marina', 'Valencia', 4, 1999, 'garage'),
  (4, 'Puerta Vieja', 'Seville', 3, 1982, 'none'),
  (5, 'Harbour House', 'Gdansk', 3, 2006, 'outdoor'),
  (6, 'Amber Court', 'Gdansk', 4, 2014, 'garage'),
  (7, 'Mountain Rest', 'Innsbruck', 2, 1975, 'outdoor'),
  (8, 'Palace on the Ring', 'Vienna', 5, 1898, 'garage'),
  (9, 'Orange Garden Hostel', 'Valencia', 1, 2017, 'none'),
  (10, 'Danube View', 'Vienna', 3, 1990, 'none'),
  (11, 'Castle Gate', 'Krakow', 4, NULL, 'outdoor');

INSERT INTO rooms (room_id, hotel_id, room_number, room_type, nightly_price, max_guests) VALUES
  (1, 1, 101, 'single', 145.0, 1),
  (2, 1, 204, 'double', 210.0, 2),
  (3, 1, 501, 'suite', 480.0, 4),
  (4, 2, 12, 'double', 125.0, 2),
  (5, 2, 14, 'family', 165.0, 4),
  (6, 3, 301, 'double', 138.0, 2),
  (7, 3, 302, 'suite', 260.0, 3),
  (8, 4, 7, 'single', 62.0, 1),
  (9, 4, 9, 'double', 88.0, 2),
  (10, 5, 21, 'double', 79.0, 2),
  (11, 5, 22, 'family', 112.0, 5),
  (12, 6, 110, 'double', 119.0, 2),
  (13, 6, 410, 'suite', 235.0, 4),
  (14, 7, 3, 'single', 49.0, 1),
  (15, 7, 5, 'family', 95.0, 4),
  (16, 8, 600, 'suite', 620.0, 4),
  (17, 8, 312, 'double', 255.0, 2),
  (18, 9, 1, 'dormitory', 22.0, 8),
  (19, 10, 44, 'double', 92.0, 2),
  (20, 1, 102, 'single', 150.0, 1);

INSERT INTO guests (guest_id, guest_name, nationality, age, loyalty_level) VALUES
  (1, 'Emil Novotny', 'Czech', 44, 'gold'),
  (2, 'Sara Lindholm', 'Swedish', 36, 'silver'),
  (3, 'Paolo Ferri', 'Italian', 52, 'gold'),
  (4, 'Agnieszka Wilk', 'Polish', 29, 'basic'),
  (5, 'Hugh Pemberton', 'British', 67, 'platinum'),
  (6, 'Carmen Vidal', 'Spanish', 41, 'silver'),
  (7, 'Jan de Boer', 'Dutch', 23, 'basic'),
  (8, 'Noor Rahman', 'British', 33, 'basic'),
  (9, 'Lotte Maier', 'German', 58, 'silver'),
  (10, 'Tadeusz Mazur', 'Polish', 72, 'basic'),
  (11, 'Ines Carvalho', 'Portuguese', 26, NULL),
  (12, 'Felix Baumann', 'German', 47, 'basic');

INSERT INTO bookings (booking_id, guest_id, room_id, check_in, nights, total_price, channel) VALUES
  (1, 1, 2, '2023-06-02', 3, 630.0, 'website'),
  (2, 1, 6, '2023-07-14', 5, 690.0, 'website'),
  (3, 1, 12, '2023-08-20', 2, 238.0, 'phone'),
  (4, 2, 4, '2023-06-10', 4, 500.0, 'agency'),
  (5, 2, 17, '2023-09-01', 2, 510.0, 'website'),
  (6, 3, 3, '2023-06-18', 2, 960.0, 'phone'),
  (7, 3, 16, '2023-07-02', 3, 1860.0, 'phone'),
  (8, 3, 7, '2023-08-05', 4, 1040.0, 'website'),
  (9, 3, 2, '2023-10-11', 1, 210.0, 'website'),
  (10, 4, 10, '2023-07-21', 2, 158.0, 'website'),
  (11, 5, 16, '2023-08-12', 7, 4340.0, 'agency'),
  (12, 5, 1, '2023-09-15', 2, 290.0, 'phone'),
  (13, 6, 9, '2023-06-25', 3, 264.0, 'website'),
  (14, 6, 11, '2023-08-01', 6, 672.0, 'agency'),
  (15, 7, 18, '2023-07-08', 5, 110.0, 'website'),
  (16, 8, 19, '2023-09-22', 3, 276.0, 'website'),
  (17, 9, 5, '2023-07-30', 7, 1155.0, 'agency'),
  (18, 9, 15, '2023-12-27', 5, 475.0, 'phone'),
  (19, 10, 13, '2023-08-28', 1, 235.0, 'phone'),
  (20, 11, 18, '2023-09-05', 4, 88.0, 'website');

INSERT INTO employees (employee_id, employee_name, job_title, monthly_salary, hotel_id) VALUES
  (1, 'Magda Steiner', 'manager', 5400, 1),
  (2, 'Florian Huber', 'receptionist', 2350, 1),
  (3, 'Teresa Aigner', 'chef', 3650, 1),
  (4, 'Ulrich Moser', 'manager', 4100, 2),
  (5, 'Pilar Soler', 'manager', 3900, 3),
  (6, 'Andres Gil', 'receptionist', 1950, 3),
  (7, 'Rocio Campos', 'receptionist', 1800, 4),
  (8, 'Marek Zielinski', 'manager', 3300, 5),
  (9, 'Ola Kaminska', 'housekeeper', 1700, 6),
  (10, 'Piotr Lis', 'chef', 2600, 6),
  (11, 'Greta Pichler', 'manager', 3000, 7),
  (12, 'Leopold Gruber', 'concierge', 2900, 8),
  (13, 'Dora Klein', 'housekeeper', 2050, 8),
  (14, 'Xavi Roca', 'receptionist', 1650, 9);
