CREATE TABLE farms (
  farm_id INTEGER PRIMARY KEY,
  farm_name TEXT NOT NULL,
  county TEXT,
  hectares REAL,
  founded_year INTEGER,
  organic_status TEXT
);

CREATE TABLE products (
  product_id INTEGER PRIMARY KEY,
  product_name TEXT NOT NULL,
  category TEXT,
  unit_price REAL,
  unit TEXT,
  farm_id INTEGER NOT NULL,
  FOREIGN KEY (farm_id) REFERENCES farms (farm_id)
);

CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY,
  customer_name TEXT NOT NULL,
  customer_type TEXT,
  village TEXT,
  loyalty_points INTEGER
);

CREATE TABLE sales (
  sale_id INTEGER PRIMARY KEY,
  product_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  sale_date DATE,
  quantity INTEGER,
  payment_method TEXT,
  FOREIGN KEY (product_id) REFERENCES products (product_id),
  FOREIGN KEY (customer_id) REFERENCES customers (customer_id)
);

INSERT INTO farms (farm_id, farm_name, county, hectares, founded_year, organic_status) VALUES
  (1, 'Thistledown Farm', 'Elmshire', 42.5, 1898, 'certified'),
  (2, 'Bramble Hollow', 'Elmshire', 18.0, 1976, 'certified'),
  (3, 'Long Acre Dairy', 'Wexcombe', 120.4, 1921, 'conventional'),
  (4, 'Sunny Bank Orchard', 'Wexcombe', 27.3, 1954, 'in conversion'),
  (5, 'Pebble Creek Apiary', 'Marlow', 6.2, 2009, 'certified'),
  (6, 'Redgate Poultry', 'Marlow', 14.8, 1987, 'conventional'),
  (7, 'Old Forge Bakery Farm', 'Elmshire', 9.5, 2013, 'conventional'),
  (8, 'Greenfold Growers', 'Denholm', 35.1, 1965, 'certified'),
  (9, 'High Moor Sheep Farm', 'Denholm', 210.0, 1880, 'conventional'),
  (10, 'Willow End', 'Marlow', 22.7, 2018, 'in conversion'),
  (11, 'Castle Hill Vines', 'Wexcombe', 31.9, NULL, 'certified');

INSERT INTO products (product_id, product_name, category, unit_price, unit, farm_id) VALUES
  (1, 'carrots', 'vegetables', 1.4, 'kg', 1),
  (2, 'purple kale', 'vegetables', 2.2, 'bunch', 1),
  (3, 'new potatoes', 'vegetables', 1.1, 'kg', 1),
  (4, 'raspberries', 'fruit', 3.5, 'punnet', 2),
  (5, 'blackberry jam', 'preserves', 4.8, 'jar', 2),
  (6, 'whole milk', 'dairy', 1.6, 'litre', 3),
  (7, 'mature cheddar', 'dairy', 14.5, 'kg', 3),
  (8, 'salted butter', 'dairy', 8.9, 'kg', 3),
  (9, 'cider apples', 'fruit', 1.9, 'kg', 4),
  (10, 'pear chutney', 'preserves', 5.2, 'jar', 4),
  (11, 'heather honey', 'preserves', 7.5, 'jar', 5),
  (12, 'beeswax candle', 'crafts', 6.0, 'piece', 5),
  (13, 'free-range eggs', 'poultry', 3.2, 'dozen', 6),
  (14, 'whole chicken', 'poultry', 11.0, 'piece', 6),
  (15, 'sourdough loaf', 'bakery', 4.2, 'piece', 7),
  (16, 'oat biscuits', 'bakery', 3.0, 'bag', 7),
  (17, 'tomatoes', 'vegetables', 2.8, 'kg', 8),
  (18, 'runner beans', 'vegetables', 3.1, 'kg', 8),
  (19, 'strawberries', 'fruit', 3.8, 'punnet', 8),
  (20, 'lamb shoulder', 'meat', 16.4, 'kg', 9),
  (21, 'wool blanket', 'crafts', 58.0, 'piece', 9),
  (22, 'goat cheese', 'dairy', 18.2, 'kg', 9),
  (23, 'green peppers', 'vegetables', 2.6, 'kg', 8);

INSERT INTO customers (customer_id, customer_name, customer_type, village, loyalty_points) VALUES
  (1, 'The Copper Kettle', 'restaurant', 'Hatherley', 420),
  (2, 'Joan Pascoe', 'household', 'Hatherley', 85),
  (3, 'Amit Desai', 'household', 'Penford', 130),
  (4, 'Blue Door Bistro', 'restaurant', 'Penford', 610),
  (5, 'Corner Pantry', 'shop', 'Stoke Lane', 275),
  (6, 'Wendy Arkwright', 'household', 'Stoke Lane', 40),
  (7, 'Luca Moretti', 'household', 'Hatherley', 155),
  (8, 'Penford Village Shop', 'shop', 'Penford', 340),
  (9, 'Station Hotel Kitchen', 'restaurant', 'Ridgeway', 505),
  (10, 'Karin Olsen', 'household', 'Ridgeway', NULL),
  (11, 'Mabel Frost', 'household', 'Ashcott', 15),
  (12, 'Harvest Cafe', 'restaurant', 'Hatherley', 95);

INSERT INTO sales (sale_id, product_id, customer_id, sale_date, quantity, payment_method) VALUES
  (1, 1, 1, '2023-05-06', 12, 'card'),
  (2, 7, 1, '2023-05-06', 3, 'card'),
  (3, 13, 2, '2023-05-06', 1, 'cash'),
  (4, 15, 2, '2023-05-06', 2, 'cash'),
  (5, 6, 3, '2023-05-13', 4, 'card'),
  (6, 19, 3, '2023-05-13', 2, 'card'),
  (7, 14, 4, '2023-05-13', 6, 'invoice'),
  (8, 17, 4, '2023-05-13', 10, 'invoice'),
  (9, 8, 4, '2023-05-20', 5, 'invoice'),
  (10, 11, 5, '2023-05-20', 20, 'invoice'),
  (11, 5, 5, '2023-05-20', 15, 'invoice'),
  (12, 16, 6, '2023-05-20', 3, 'cash'),
  (13, 13, 7, '2023-05-27', 2, 'card'),
  (14, 1, 7, '2023-05-27', 5, 'card'),
  (15, 4, 7, '2023-05-27', 3, 'cash'),
  (16, 13, 8, '2023-06-03', 24, 'invoice'),
  (17, 15, 8, '2023-06-03', 18, 'invoice'),
  (18, 20, 9, '2023-06-03', 7, 'card'),
  (19, 3, 9, '2023-06-03', 25, 'card'),
  (20, 22, 9, '2023-06-10', 2, 'card'),
  (21, 19, 2, '2023-06-10', 4, 'cash'),
  (22, 17, 1, '2023-06-10', 8, 'card'),
  (23, 21, 10, '2023-06-17', 1, 'card'),
  (24, 9, 3, '2023-06-17', 6, 'cash'),
  (25, 13, 4, '2023-06-17', 14, 'invoice'),
  (26, 2, 12, '2023-06-24', 9, 'card'),
  (27, 1, 5, '2023-06-24', 30, 'invoice');
