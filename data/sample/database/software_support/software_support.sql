CREATE TABLE products (
  product_id INTEGER PRIMARY KEY,
  product_name TEXT NOT NULL,
  category TEXT,
  release_year INTEGER,
  licence_price REAL
);

CREATE TABLE companies (
  company_id INTEGER PRIMARY KEY,
  company_name TEXT NOT NULL,
  industry TEXT,
  country TEXT,
  employee_count INTEGER
);

CREATE TABLE agents (
  agent_id INTEGER PRIMARY KEY,
  agent_name TEXT NOT NULL,
  team TEXT,
  office TEXT,
  hire_date DATE,
  salary INTEGER
);

CREATE TABLE tickets (
  ticket_id INTEGER PRIMARY KEY,
  company_id INTEGER NOT NULL,
  product_id INTEGER NOT NULL,
  agent_id INTEGER,
  opened_date DATE,
  priority TEXT,
  status TEXT,
  hours_spent REAL,
  satisfaction INTEGER,
  FOREIGN KEY (company_id) REFERENCES companies (company_id),
  FOREIGN KEY (product_id) REFERENCES products (product_id),
  FOREIGN KEY (agent_id) REFERENCES agents (agent_id)
);

INSERT INTO products (product_id, product_name, category, release_year, licence_price) VALUES
  (1, 'LedgerPro', 'accounting', 2014, 499.0),
  (2, 'LedgerLite', 'accounting', 2017, 129.0),
  (3, 'MailCourier', 'communication', 2012, 89.0),
  (4, 'ChatDesk', 'communication', 2019, 149.0),
  (5, 'VaultGuard', 'security', 2016, 349.0),
  (6, 'KeySentry', 'security', 2021, 219.0),
  (7, 'StockPilot', 'inventory', 2015, 399.0),
  (8, 'ShelfTrack', 'inventory', 2022, 189.0),
  (9, 'PlanBoard', 'planning', 2018, 159.0),
  (10, 'RosterMate', 'planning', 2020, 99.0),
  (11, 'InsightView', 'analytics', 2023, 599.0),
  (12, 'FormCraft', 'documents', 2013, 69.0);

INSERT INTO companies (company_id, company_name, industry, country, employee_count) VALUES
  (1, 'Norrland Timber', 'forestry', 'Sweden', 420),
  (2, 'Bellweather Foods', 'food', 'Ireland', 1150),
  (3, 'Quay Street Books', 'retail', 'Ireland', 65),
  (4, 'Asteria Clinics', 'health', 'Greece', 780),
  (5, 'Polder Logistics', 'transport', 'Netherlands', 2300),
  (6, 'Mistral Textiles', 'manufacturing', 'France', 540),
  (7, 'Sierra Solar', 'energy', 'Spain', 310),
  (8, 'Kestrel Air', 'transport', 'Ireland', 3100),
  (9, 'Vella Bakery', 'food', 'Malta', 38),
  (10, 'Fjord Fisheries', 'food', 'Norway', 265),
  (11, 'Canal Insurance', 'finance', 'Netherlands', 900),
  (12, 'Lumen Glass', 'manufacturing', 'France', 470),
  (13, 'Tagus Hotels', 'tourism', 'Portugal', 1340),
  (14, 'Baltic Toys', 'retail', 'Estonia', 92);

INSERT INTO agents (agent_id, agent_name, team, office, hire_date, salary) VALUES
  (1, 'Sophie Marchand', 'billing', 'Lyon', '2016-03-14', 41000),
  (2, 'Declan Hurley', 'technical', 'Cork', '2014-09-01', 52500),
  (3, 'Ines Carvalho', 'technical', 'Porto', '2018-05-21', 46000),
  (4, 'Marek Dvorak', 'security', 'Brno', '2017-11-06', 55000),
  (5, 'Aoife Brennan', 'onboarding', 'Cork', '2021-02-15', 37500),
  (6, 'Lars Nygaard', 'technical', 'Bergen', '2013-06-10', 58000),
  (7, 'Yasmin Said', 'billing', 'Lyon', '2020-08-24', 39000),
  (8, 'Tomas Silva', 'onboarding', 'Porto', '2022-10-03', 36000),
  (9, 'Greta Lund', 'security', 'Bergen', '2019-01-28', 53000),
  (10, 'Owen Fitzgerald', 'technical', 'Cork', '2023-04-17', 40500),
  (11, 'Petra Horak', 'security', 'Brno', '2024-01-08', 43500);

INSERT INTO tickets (ticket_id, company_id, product_id, agent_id, opened_date, priority, status, hours_spent, satisfaction) VALUES
  (1, 1, 7, 2, '2023-01-09', 'high', 'closed', 6.5, 4),
  (2, 2, 1, 1, '2023-01-17', 'medium', 'closed', 2.0, 5),
  (3, 2, 7, 6, '2023-02-03', 'high', 'closed', 9.0, 3),
  (4, 3, 2, 1, '2023-02-14', 'low', 'closed', 1.0, 5),
  (5, 4, 5, 4, '2023-03-02', 'urgent', 'closed', 12.5, 4),
  (6, 5, 7, 3, '2023-03-20', 'medium', 'closed', 4.0, 4),
  (7, 5, 9, 3, '2023-04-05', 'low', 'closed', 1.5, 3),
  (8, 6, 1, 7, '2023-04-18', 'medium', 'closed', 3.0, 2),
  (9, 7, 11, 6, '2023-05-11', 'high', 'closed', 7.5, 5),
  (10, 8, 5, 9, '2023-05-30', 'urgent', 'closed', 14.0, 5),
  (11, 8, 10, 5, '2023-06-08', 'low', 'closed', 2.5, 4),
  (12, 8, 4, 2, '2023-07-19', 'medium', 'closed', 3.5, NULL),
  (13, 9, 2, 7, '2023-08-01', 'low', 'closed', 0.5, 5),
  (14, 10, 3, 2, '2023-09-12', 'medium', 'closed', 5.0, 3),
  (15, 11, 6, 4, '2023-10-04', 'urgent', 'closed', 11.0, 2),
  (16, 11, 5, 9, '2023-11-23', 'high', 'closed', 8.0, 4),
  (17, 12, 8, 3, '2024-01-15', 'medium', 'closed', 4.5, NULL),
  (18, 1, 9, 5, '2024-02-07', 'low', 'closed', 1.0, 4),
  (19, 2, 4, 10, '2024-02-26', 'high', 'closed', 10.0, 1),
  (20, 4, 6, 4, '2024-03-13', 'high', 'closed', 6.0, 5),
  (21, 5, 7, 6, '2024-04-02', 'urgent', 'closed', 15.5, 4),
  (22, 8, 11, 2, '2024-05-06', 'medium', 'pending', 3.0, NULL),
  (23, 6, 8, 10, '2024-05-22', 'low', 'pending', 2.0, NULL),
  (24, 3, 4, 10, '2024-06-03', 'medium', 'open', 1.5, NULL),
  (25, 7, 5, 9, '2024-06-10', 'urgent', 'open', 5.5, NULL),
  (26, 12, 1, NULL, '2024-06-17', 'high', 'open', 0.0, NULL),
  (27, 10, 3, NULL, '2024-06-20', 'medium', 'open', 0.0, NULL);
