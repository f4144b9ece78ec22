CREATE TABLE operators (
  operator_id INTEGER PRIMARY KEY,
  operator_name TEXT NOT NULL,
  headquarters TEXT,
  founded_year INTEGER
);

CREATE TABLE parks (
  park_id INTEGER PRIMARY KEY,
  park_name TEXT NOT NULL,
  province TEXT,
  capacity_mw REAL,
  opened_year INTEGER,
  operator_id INTEGER NOT NULL,
  FOREIGN KEY (operator_id) REFERENCES operators (operator_id)
);

CREATE TABLE panel_models (
  model_id INTEGER PRIMARY KEY,
  model_name TEXT NOT NULL,
  manufacturer TEXT,
  efficiency_percent REAL,
  unit_price REAL
);

CREATE TABLE installations (
  park_id INTEGER NOT NULL,
  model_id INTEGER NOT NULL,
  panel_count INTEGER,
  install_date DATE,
  PRIMARY KEY (park_id, model_id),
  FOREIGN KEY (park_id) REFERENCES parks (park_id),
  FOREIGN KEY (model_id) REFERENCES panel_models (model_id)
);

CREATE TABLE outages (
  outage_id INTEGER PRIMARY KEY,
  park_id INTEGER NOT NULL,
  outage_date DATE,
  cause TEXT,
  hours REAL,
  lost_mwh REAL,
  FOREIGN KEY (park_id) REFERENCES parks (park_id)
);

INSERT INTO operators (operator_id, operator_name, headquarters, founded_year) VALUES
  (1, 'Helion Power', 'Madrid', 2004),
  (2, 'Brightfield Energy', 'Leeds', 2010),
  (3, 'Sole Mio Rinnovabili', 'Bari', 2008),
  (4, 'Nordlys Solar', 'Aarhus', 2015),
  (5, 'Meridian Sun', 'Madrid', 2012),
  (6, 'Alba Renewables', 'Glasgow', 2017),
  (7, 'Campo Verde', 'Seville', 2001),
  (8, 'Daybreak Utilities', 'Leeds', 2019),
  (9, 'Ostwind Sonne', 'Leipzig', 2006),
  (10, 'Prairie Light', 'Winnipeg', 2021);

INSERT INTO parks (park_id, park_name, province, capacity_mw, opened_year, operator_id) VALUES
  (1, 'Llano Alto', 'Badajoz', 120.0, 2014, 1),
  (2, 'Cerro Blanco', 'Badajoz', 85.5, 2018, 1),
  (3, 'Dos Rios', 'Murcia', 64.0, 2016, 5),
  (4, 'Fenwick Meadow', 'Yorkshire', 22.0, 2013, 2),
  (5, 'Harrow Moss', 'Yorkshire', 18.5, 2015, 2),
  (6, 'Masseria Grande', 'Puglia', 45.0, 2011, 3),
  (7, 'Torre del Sole', 'Puglia', 52.5, 2019, 3),
  (8, 'Havblik', 'Jutland', 30.0, 2017, 4),
  (9, 'Vestmark', 'Jutland', 41.0, 2021, 4),
  (10, 'Loch Bank', 'Fife', 12.0, 2020, 6),
  (11, 'Girasol', 'Seville', 150.0, 2009, 7),
  (12, 'Las Palomas', 'Seville', 98.0, 2022, 7),
  (13, 'Mirador Sur', 'Murcia', 73.0, 2023, 5),
  (14, 'Elsterfeld', 'Saxony', 27.5, 2012, 9);

INSERT INTO panel_models (model_id, model_name, manufacturer, efficiency_percent, unit_price) VALUES
  (1, 'Lumo 300', 'Kestralux', 17.8, 96.0),
  (2, 'Lumo 400', 'Kestralux', 20.4, 128.0),
  (3, 'Apex M', 'Tianguang', 19.1, 104.5),
  (4, 'Apex Duo', 'Tianguang', 21.3, 151.0),
  (5, 'Solis Thin', 'Verano', 15.2, 71.0),
  (6, 'Solis Plus', 'Verano', 18.6, 99.5),
  (7, 'Polar One', 'Nordcell', 20.9, 139.0),
  (8, 'Polar Flex', 'Nordcell', 16.4, 118.0),
  (9, 'Sunrise Eco', 'Kestralux', 16.9, 82.0),
  (10, 'Zenit X', 'Ostra', 22.6, 187.0);

INSERT INTO installations (park_id, model_id, panel_count, install_date) VALUES
  (1, 1, 260000, '2013-09-20'),
  (1, 2, 90000, '2019-03-11'),
  (2, 3, 210000, '2017-11-05'),
  (3, 3, 150000, '2016-02-17'),
  (4, 1, 62000, '2012-10-30'),
  (5, 9, 51000, '2015-01-26'),
  (6, 5, 140000, '2011-03-08'),
  (6, 6, 24000, '2018-06-14'),
  (7, 6, 118000, '2019-02-02'),
  (8, 7, 71500, '2016-12-12'),
  (9, 7, 93000, '2021-04-19'),
  (9, 4, 12000, '2021-08-23'),
  (10, 8, 33000, '2020-05-15'),
  (11, 5, 480000, '2008-12-01'),
  (11, 2, 60000, '2020-10-09'),
  (12, 4, 205000, '2022-01-18'),
  (13, 4, 160000, '2023-02-27'),
  (14, 9, 80000, '2012-06-06');

INSERT INTO outages (outage_id, park_id, outage_date, cause, hours, lost_mwh) VALUES
  (1, 1, '2022-01-14', 'grid fault', 6.0, 210.0),
  (2, 4, '2022-02-18', 'storm', 30.0, 95.0),
  (3, 5, '2022-02-19', 'storm', 22.5, 61.0),
  (4, 6, '2022-06-30', 'inverter failure', 12.0, 180.5),
  (5, 11, '2022-07-21', 'wildfire', 48.0, 1900.0),
  (6, 8, '2022-11-09', 'grid fault', 4.5, 17.0),
  (7, 2, '2023-03-03', 'inverter failure', 9.0, 240.0),
  (8, 7, '2023-05-17', 'hail', 16.0, 265.0),
  (9, 11, '2023-08-08', 'wildfire', 36.0, 1480.0),
  (10, 3, '2023-08-29', 'inverter failure', 7.5, 155.0),
  (11, 9, '2023-12-05', 'storm', 19.0, NULL),
  (12, 6, '2024-02-11', 'grid fault', 3.0, 28.0),
  (13, 12, '2024-04-26', 'inverter failure', 10.5, 330.0),
  (14, 4, '2024-10-20', 'storm', 14.0, 40.0);
