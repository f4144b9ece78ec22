SELECT count(*) FROM repairs	bike_rental
SELECT district FROM shops WHERE shop_name = 'Twin Gears'	bike_rental
SELECT avg(rating) FROM rentals	bike_rental
SELECT DISTINCT home_city FROM customers	bike_rental
SELECT shop_name, opened_year FROM shops ORDER BY opened_year DESC LIMIT 1	bike_rental
SELECT bike_type, max(daily_price) FROM bikes GROUP BY bike_type	bike_rental
SELECT fault, avg(cost) FROM repairs GROUP BY fault HAVING count(*) > 3	bike_rental
SELECT T1.shop_name FROM shops AS T1 JOIN bikes AS T2 ON T1.shop_id = T2.shop_id WHERE T2.bike_type = 'tandem'	bike_rental
SELECT avg(T2.amount_paid) FROM customers AS T1 JOIN rentals AS T2 ON T1.customer_id = T2.customer_id WHERE T1.customer_name = 'Hiro Tanabe'	bike_rental
SELECT model_name, bike_type, purchase_year FROM bikes WHERE daily_price <= 13	bike_rental
SELECT shop_name FROM shops WHERE staff_count < (SELECT avg(staff_count) FROM shops)	bike_rental
SELECT model_name FROM bikes WHERE bike_id NOT IN (SELECT bike_id FROM rentals)	bike_rental
SELECT district FROM shops GROUP BY district ORDER BY sum(staff_count) DESC LIMIT 1	bike_rental
SELECT T1.home_city, sum(T2.amount_paid) FROM customers AS T1 JOIN rentals AS T2 ON T1.customer_id = T2.customer_id GROUP BY T1.home_city ORDER BY sum(T2.amount_paid) DESC LIMIT 1	bike_rental
SELECT T3.customer_name FROM bikes AS T1 JOIN rentals AS T2 ON T1.bike_id = T2.bike_id JOIN customers AS T3 ON T2.customer_id = T3.customer_id WHERE T1.bike_type = 'electric' EXCEPT SELECT T3.customer_name FROM bikes AS T1 JOIN rentals AS T2 ON T1.bike_id = T2.bike_id JOIN customers AS T3 ON T2.customer_id = T3.customer_id WHERE T1.bike_type = 'city'	bike_rental
SELECT count(*) FROM players WHERE country = 'Poland'	chess_tournament
SELECT host_city, prize_fund FROM tournaments WHERE tournament_name = 'Danube Masters'	chess_tournament
SELECT DISTINCT opening FROM games	chess_tournament
SELECT avg(moves) FROM games WHERE result = 'draw'	chess_tournament
SELECT player_name, rating FROM players ORDER BY rating DESC LIMIT 3	chess_tournament
SELECT result, count(*) FROM games GROUP BY result	chess_tournament
SELECT host_city FROM tournaments GROUP BY host_city HAVING count(*) > 1	chess_tournament
SELECT T2.final_rank, T2.points FROM players AS T1 JOIN registrations AS T2 ON T1.player_id = T2.player_id WHERE T1.player_name = 'Dariusz Wilk'	chess_tournament
SELECT tournament_name, start_date FROM tournaments WHERE rounds = 9 AND prize_fund < 20000	chess_tournament
SELECT T1.tournament_name, count(*) FROM tournaments AS T1 JOIN games AS T2 ON T1.tournament_id = T2.tournament_id GROUP BY T1.tournament_id	chess_tournament
SELECT player_name FROM players WHERE player_id NOT IN (SELECT white_player_id FROM games)	chess_tournament
SELECT T3.player_name FROM tournaments AS T1 JOIN registrations AS T2 ON T1.tournament_id = T2.tournament_id JOIN players AS T3 ON T2.player_id = T3.player_id WHERE T1.tournament_name = 'Amber Invitational'	chess_tournament
SELECT country FROM players WHERE rating > 2500 INTERSECT SELECT country FROM players WHERE rating < 2400	chess_tournament
SELECT T1.player_name, sum(T2.points) FROM players AS T1 JOIN registrations AS T2 ON T1.player_id = T2.player_id GROUP BY T1.player_id ORDER BY sum(T2.points) DESC LIMIT 1	chess_tournament
SELECT T1.player_name FROM players AS T1 JOIN games AS T2 ON T1.player_id = T2.white_player_id WHERE T2.opening = 'Sicilian Defence' EXCEPT SELECT T1.player_name FROM players AS T1 JOIN games AS T2 ON T1.player_id = T2.white_player_id WHERE T2.opening = 'Catalan'	chess_tournament
SELECT count(*) FROM drivers	city_transit
SELECT district FROM depots WHERE depot_name = 'Hillcrest Garage'	city_transit
SELECT avg(daily_riders) FROM routes WHERE mode = 'tram'	city_transit
SELECT DISTINCT zone FROM stops	city_transit
SELECT zone, count(*) FROM stops GROUP BY zone	city_transit
SELECT route_name, daily_riders FROM routes ORDER BY daily_riders DESC LIMIT 1	city_transit
SELECT T2.route_name FROM drivers AS T1 JOIN routes AS T2 ON T1.route_id = T2.route_id WHERE T1.driver_name = 'Julia Stern'	city_transit
SELECT stop_name FROM stops WHERE zone = 2 AND shelter = 'concrete'	city_transit
SELECT mode, sum(length_km) FROM routes GROUP BY mode	city_transit
SELECT depot_name, capacity FROM depots ORDER BY depot_name	city_transit
SELECT depot_name FROM depots WHERE capacity > (SELECT avg(capacity) FROM depots)	city_transit
SELECT T1.driver_name FROM drivers AS T1 JOIN routes AS T2 ON T1.route_id = T2.route_id JOIN depots AS T3 ON T2.depot_id = T3.depot_id WHERE T3.depot_name = 'Riverside Yard'	city_transit
SELECT zone FROM stops GROUP BY zone ORDER BY count(*) DESC LIMIT 1	city_transit
SELECT T2.route_name, count(*) FROM drivers AS T1 JOIN routes AS T2 ON T1.route_id = T2.route_id GROUP BY T2.route_id ORDER BY count(*) DESC LIMIT 1	city_transit
SELECT stop_name, zone FROM stops WHERE stop_id NOT IN (SELECT T1.stop_id FROM route_stops AS T1 JOIN routes AS T2 ON T1.route_id = T2.route_id WHERE T2.mode = 'bus')	city_transit
SELECT count(*) FROM bookings WHERE channel = 'phone'	hotel_group
SELECT city FROM hotels WHERE hotel_name = 'Castle Gate'	hotel_group
SELECT avg(nightly_price) FROM rooms WHERE room_type = 'double'	hotel_group
SELECT guest_name FROM guests ORDER BY age	hotel_group
SELECT city, count(*) FROM hotels GROUP BY city	hotel_group
SELECT room_number, nightly_price FROM rooms WHERE nightly_price > 250	hotel_group
SELECT employee_name, job_title FROM employees ORDER BY monthly_salary DESC LIMIT 1	hotel_group
SELECT count(*) FROM rooms AS T1 JOIN hotels AS T2 ON T1.hotel_id = T2.hotel_id WHERE T2.hotel_name = 'Grand Meridian'	hotel_group
SELECT guest_name FROM guests WHERE nationality = 'German' OR age > 65	hotel_group
SELECT channel, count(*), avg(nights) FROM bookings GROUP BY channel	hotel_group
SELECT guest_name FROM guests WHERE guest_id NOT IN (SELECT guest_id FROM bookings)	hotel_group
SELECT city FROM hotels WHERE stars = 5 INTERSECT SELECT city FROM hotels WHERE stars = 3	hotel_group
SELECT DISTINCT T2.guest_name FROM bookings AS T1 JOIN guests AS T2 ON T1.guest_id = T2.guest_id JOIN rooms AS T3 ON T1.room_id = T3.room_id WHERE T3.room_type = 'family'	hotel_group
SELECT T1.guest_name, sum(T2.total_price) FROM guests AS T1 JOIN bookings AS T2 ON T1.guest_id = T2.guest_id GROUP BY T1.guest_id ORDER BY sum(T2.total_price) DESC LIMIT 1	hotel_group
SELECT hotel_name, stars FROM hotels WHERE hotel_id NOT IN (SELECT hotel_id FROM rooms WHERE room_type = 'suite')	hotel_group
SELECT count(*) FROM authors WHERE country = 'Portugal'	library
SELECT birth_year FROM authors WHERE name = 'Declan Byrne'	library
SELECT DISTINCT membership_type FROM members	library
SELECT avg(age) FROM members WHERE membership_type = 'senior'	library
SELECT membership_type, count(*) FROM members GROUP BY membership_type	library
SELECT title FROM books ORDER BY publication_year DESC LIMIT 1	library
SELECT title, copies FROM books WHERE genre = 'children' AND publication_year < 2018	library
SELECT count(*) FROM books AS T1 JOIN authors AS T2 ON T1.author_id = T2.author_id WHERE T2.name = 'Lucie Marchand'	library
SELECT city, count(*) FROM members GROUP BY city HAVING count(*) = 3	library
SELECT name, city FROM members ORDER BY name	library
SELECT name FROM members WHERE age > (SELECT avg(age) FROM members)	library
SELECT genre FROM books WHERE publication_year < 1990 INTERSECT SELECT genre FROM books WHERE publication_year > 2015	library
SELECT T2.name FROM loans AS T1 JOIN members AS T2 ON T1.member_id = T2.member_id JOIN books AS T3 ON T1.book_id = T3.book_id WHERE T3.title = 'The River Market'	library
SELECT T2.name, count(*) FROM loans AS T1 JOIN members AS T2 ON T1.member_id = T2.member_id GROUP BY T2.member_id ORDER BY count(*) DESC LIMIT 1	library
SELECT name, country FROM authors WHERE author_id NOT IN (SELECT author_id FROM books WHERE genre = 'novel')	library
SELECT count(*) FROM telescopes	observatory
SELECT aperture_m FROM telescopes WHERE telescope_name = 'Southern Giant'	observatory
SELECT full_name FROM astronomers WHERE papers > 80	observatory
SELECT DISTINCT target_class FROM targets	observatory
SELECT research_field, count(*) FROM astronomers GROUP BY research_field	observatory
SELECT target_name, constellation FROM targets WHERE target_class = 'nebula'	observatory
SELECT telescope_name FROM telescopes ORDER BY altitude_m DESC LIMIT 1	observatory
SELECT T1.night FROM observations AS T1 JOIN astronomers AS T2 ON T1.astronomer_id = T2.astronomer_id WHERE T2.full_name = 'Ravindra Iyer'	observatory
SELECT institute, count(*) FROM astronomers GROUP BY institute HAVING count(*) >= 2	observatory
SELECT telescope_name FROM telescopes WHERE telescope_type = 'reflector' AND altitude_m > 2405	observatory
SELECT telescope_name FROM telescopes WHERE telescope_id NOT IN (SELECT telescope_id FROM observations)	observatory
SELECT full_name FROM astronomers WHERE papers < (SELECT avg(papers) FROM astronomers)	observatory
SELECT DISTINCT T3.target_name FROM observations AS T1 JOIN astronomers AS T2 ON T1.astronomer_id = T2.astronomer_id JOIN targets AS T3 ON T1.target_id = T3.target_id WHERE T2.full_name = 'Leonora Vance'	observatory
SELECT T1.telescope_name, count(*) FROM telescopes AS T1 JOIN observations AS T2 ON T1.telescope_id = T2.telescope_id GROUP BY T1.telescope_id ORDER BY count(*) DESC LIMIT 1	observatory
SELECT T3.target_name FROM observations AS T1 JOIN telescopes AS T2 ON T1.telescope_id = T2.telescope_id JOIN targets AS T3 ON T1.target_id = T3.target_id WHERE T2.telescope_name = 'Aldous Reflector' INTERSECT SELECT T3.target_name FROM observations AS T1 JOIN telescopes AS T2 ON T1.telescope_id = T2.telescope_id JOIN targets AS T3 ON T1.target_id = T3.target_id WHERE T2.telescope_name = 'Southern Giant'	observatory
SELECT count(*) FROM agents	software_support
SELECT product_name FROM products WHERE category = 'planning'	software_support
SELECT sum(employee_count) FROM companies	software_support
SELECT DISTINCT status FROM tickets	software_support
SELECT company_name, country FROM companies ORDER BY employee_count LIMIT 1	software_support
SELECT category, avg(licence_price) FROM products GROUP BY category	software_support
SELECT T2.opened_date, T2.status FROM products AS T1 JOIN tickets AS T2 ON T1.product_id = T2.product_id WHERE T1.product_name = 'ChatDesk'	software_support
SELECT team, min(salary) FROM agents GROUP BY team HAVING count(*) > 2	software_support
SELECT T1.agent_name, count(*) FROM agents AS T1 JOIN tickets AS T2 ON T1.agent_id = T2.agent_id GROUP BY T1.agent_id	software_support
SELECT agent_name, hire_date FROM agents WHERE salary BETWEEN 40000 AND 50000	software_support
SELECT company_name FROM companies WHERE employee_count > (SELECT avg(employee_count) FROM companies)	software_support
SELECT agent_name FROM agents WHERE agent_id NOT IN (SELECT agent_id FROM tickets WHERE priority = 'low')	software_support
SELECT country FROM companies GROUP BY country ORDER BY sum(employee_count) DESC LIMIT 1	software_support
SELECT T1.product_name, sum(T2.hours_spent) FROM products AS T1 JOIN tickets AS T2 ON T1.product_id = T2.product_id GROUP BY T1.product_id ORDER BY sum(T2.hours_spent) DESC LIMIT 1	software_support
SELECT agent_name, salary FROM agents WHERE salary > (SELECT max(salary) FROM agents WHERE team = 'technical' AND hire_date > '2015-01-01')	software_support
SELECT count(*) FROM parks	solar_parks
SELECT sum(capacity_mw) FROM parks WHERE province = 'Badajoz'	solar_parks
SELECT DISTINCT cause FROM outages	solar_parks
SELECT manufacturer FROM panel_models GROUP BY manufacturer HAVING count(*) >= 2	solar_parks
SELECT outage_date, cause FROM outages ORDER BY hours DESC LIMIT 1	solar_parks
SELECT province, max(capacity_mw) FROM parks GROUP BY province	solar_parks
SELECT model_name FROM panel_models WHERE efficiency_percent > 20 AND unit_price < 150	solar_parks
SELECT T2.park_name, T2.opened_year FROM operators AS T1 JOIN parks AS T2 ON T1.operator_id = T2.operator_id WHERE T1.operator_name = 'Campo Verde'	solar_parks
SELECT T1.park_name, count(*) FROM parks AS T1 JOIN outages AS T2 ON T1.park_id = T2.park_id GROUP BY T1.park_id	solar_parks
SELECT operator_name FROM operators WHERE headquarters = 'Leeds' OR founded_year < 2005	solar_parks
SELECT park_name FROM parks WHERE park_id NOT IN (SELECT park_id FROM outages)	solar_parks
SELECT model_name FROM panel_models WHERE efficiency_percent > (SELECT avg(efficiency_percent) FROM panel_models)	solar_parks
SELECT T1.park_name FROM parks AS T1 JOIN installations AS T2 ON T1.park_id = T2.park_id JOIN panel_models AS T3 ON T2.model_id = T3.model_id WHERE T3.model_name = 'Apex Duo'	solar_parks
SELECT T1.operator_name, sum(T2.capacity_mw) FROM operators AS T1 JOIN parks AS T2 ON T1.operator_id = T2.operator_id GROUP BY T1.operator_id ORDER BY sum(T2.capacity_mw) DESC LIMIT 1	solar_parks
SELECT T1.park_name FROM parks AS T1 JOIN outages AS T2 ON T1.park_id = T2.park_id WHERE T2.cause = 'grid fault' EXCEPT SELECT T1.park_name FROM parks AS T1 JOIN outages AS T2 ON T1.park_id = T2.park_id WHERE T2.cause = 'inverter failure'	solar_parks
