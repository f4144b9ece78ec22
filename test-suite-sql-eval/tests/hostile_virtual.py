"""Hostile predictions that go through virtual tables, and the database they are written for."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE song (id INTEGER PRIMARY KEY, title TEXT, tags TEXT);
INSERT INTO song VALUES (1, 'Dawn', '["slow","old"]'), (2, 'Rain', '["slow"]'), (3, 'Hill', '[]');
CREATE VIRTUAL TABLE lyric5 USING fts5(body);
INSERT INTO lyric5 VALUES ('hello world'), ('rain on the hill');
CREATE VIRTUAL TABLE title5 USING fts5(title, content='song', content_rowid='id');
INSERT INTO title5(title5) VALUES ('rebuild');
CREATE VIRTUAL TABLE lyric4 USING fts4(body);
INSERT INTO lyric4 VALUES ('hello world'), ('rain on the hill');
CREATE VIRTUAL TABLE lyric3 USING fts3(body);
INSERT INTO lyric3 VALUES ('hello world');
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);
INSERT INTO box VALUES (1, 0, 1), (2, 5, 9);
CREATE VIRTUAL TABLE word5 USING fts5vocab(lyric5, row);
CREATE VIRTUAL TABLE word4 USING fts4aux(lyric4);
CREATE VIEW tag AS SELECT song.id, value AS name FROM song, json_each(song.tags);
"""

_TABLES = ("lyric5", "title5", "lyric4", "lyric3", "box")

_WRITES = [
    statement.format(table=table)
    for table in _TABLES
    for statement in (
        "INSERT INTO {table} DEFAULT VALUES",
        "INSERT INTO {table} SELECT * FROM {table}",
        "INSERT OR REPLACE INTO {table}(rowid) VALUES (1)",
        "UPDATE {table} SET rowid = rowid + 1",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table}) RETURNING *",
        "DROP TABLE {table}",
        "ALTER TABLE {table} RENAME TO gone",
        "EXPLAIN DELETE FROM {table}",
        "WITH w AS (SELECT * FROM {table}) INSERT INTO song SELECT 9, 'x', 'y' FROM w",
        "CREATE TABLE evil AS SELECT * FROM {table}",
        "CREATE TRIGGER evil AFTER INSERT ON {table} BEGIN DELETE FROM song; END",
    )
]

_COMMANDS = [
    *(
        f"INSERT INTO {table}({table}) VALUES ('{command}')"
        for table in ("lyric5", "lyric4")
        for command in ("rebuild", "optimize", "integrity-check", "delete-all", "merge=200,8")
    ),
    "INSERT INTO lyric5(lyric5, rank) VALUES ('rank', 'bm25(10.0)')",
    "INSERT INTO lyric5(lyric5, rank) VALUES ('pgsz', 32)",
    "SELECT optimize(lyric4) FROM lyric4 WHERE lyric4 MATCH 'hello'",
    "SELECT optimize(lyric3) FROM lyric3",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('evil', x'4141414141414141')",
    "SELECT rtreecheck('box')",
    "SELECT rtreecheck('main', 'box')",
]

_SHADOWS = [
    statement.format(table=table)
    for table in ("lyric5_data", "lyric5_config", "lyric4_segdir", "box_node", "box_rowid")
    for statement in (
        "DELETE FROM {table}",
        "UPDATE {table} SET rowid = 99",
        "INSERT INTO {table} SELECT * FROM {table}",
        "DROP TABLE {table}",
    )
]

_MODULES = [
    "CREATE VIRTUAL TABLE evil USING fts5(body)",
    "CREATE VIRTUAL TABLE temp.evil USING fts5(body)",
    "CREATE VIRTUAL TABLE temp.evil USING fts5vocab(main, lyric5, row)",
    "CREATE VIRTUAL TABLE temp.evil USING rtree(id, x0, x1)",
    "CREATE VIRTUAL TABLE evil USING fts4(tokenize=icu)",
    "CREATE VIRTUAL TABLE evil USING csv(filename='/etc/passwd')",
    "CREATE VIRTUAL TABLE evil USING sqlite_dbpage",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM csv('/etc/passwd')",
    "SELECT * FROM fsdir('/')",
    "SELECT * FROM zipfile('evil.zip')",
    "SELECT * FROM fts5vocab('lyric5', 'row')",
    "UPDATE sqlite_dbpage SET data = zeroblob(4096)",
]

_FUNCTIONS = [
    "INSERT INTO json_each VALUES (1)",
    "DELETE FROM json_each('[1]')",
    "UPDATE pragma_table_info('song') SET name = 'x'",
    "DELETE FROM tag",
    "CREATE VIEW evil AS SELECT * FROM json_each('[1]')",
    "SELECT * FROM json_each(readfile('/etc/passwd'))",
    "SELECT writefile('evil.txt', value) FROM json_each('[1]')",
    "SELECT load_extension(value) FROM json_each('[\"evil\"]')",
    "SELECT load_extension(name) FROM pragma_table_info('song')",
    "SELECT * FROM lyric5 WHERE lyric5 MATCH load_extension('evil')",
    "SELECT * FROM lyric5('hello') WHERE rank MATCH 'bm25(load_extension(1))'",
    "SELECT * FROM lyric5('hello') WHERE rank MATCH 'load_extension(1)' ORDER BY rank",
    "SELECT * FROM lyric5('hello') WHERE rank MATCH 'bm25((DELETE FROM song))' ORDER BY rank",
    "SELECT * FROM lyric5('hello', 'bm25((SELECT writefile(1, 2)))')",
    "SELECT * FROM json_each('[1]'); DELETE FROM song",
    "SELECT * FROM lyric5; INSERT INTO lyric5(lyric5) VALUES ('rebuild')",
    *(
        f"SELECT * FROM pragma_{name}"
        for name in (
            "user_version(7)",
            "journal_mode('WAL')",
            "writable_schema(1)",
            "query_only(0)",
            "optimize",
            "integrity_check",
            "wal_checkpoint('TRUNCATE')",
            "temp_store_directory('..')",
            "incremental_vacuum(1)",
            "trusted_schema(1)",
            "data_version",
            "database_list",
            "compile_options",
        )
    ),
    *(
        f"PRAGMA {name}"
        for name in (
            "table_info = 7; DROP TABLE song",
            "temp.user_version = 7",
            "main.secure_delete=1",
        )
    ),
]

_ENDLESS = [
    "SELECT count(*) FROM "
    + ", ".join(f"json_each('[1,2,3,4,5,6,7,8,9]') j{i}" for i in range(20)),
    "SELECT max(value) FROM json_tree(printf('%.*c', 60000000, '['))",
    "SELECT count(*) FROM " + ", ".join(f"word5 w{i}, lyric4 l{i}" for i in range(15)),
    "SELECT count(*) FROM " + ", ".join(f"pragma_function_list f{i}" for i in range(12)),
    "SELECT count(*) FROM " + ", ".join(f"box b{i}" for i in range(40)),
    "SELECT * FROM lyric5 WHERE lyric5 MATCH '" + "(" * 100_000 + "'",
    "SELECT * FROM lyric4 WHERE lyric4 MATCH '" + "(a OR " * 5000 + "b'",
]

HOSTILE = [*_WRITES, *_COMMANDS, *_SHADOWS, *_MODULES, *_FUNCTIONS, *_ENDLESS]

#: Queries that only read, and their rows.
READING: dict[str, list[tuple[object, ...]]] = {
    "SELECT value FROM json_each('[1, 2]')": [(1,), (2,)],
    "SELECT fullkey FROM json_tree('{\"a\": [5]}') WHERE atom = 5": [("$.a[0]",)],
    "SELECT name FROM tag WHERE id = 1": [("slow",), ("old",)],
    "SELECT count(*) FROM song, json_each(song.tags)": [(3,)],
    "SELECT name FROM pragma_table_info('song')": [("id",), ("title",), ("tags",)],
    "SELECT count(*) FROM pragma_table_list WHERE type = 'virtual'": [(7,)],
    "SELECT body FROM lyric5 WHERE lyric5 MATCH 'hello'": [("hello world",)],
    "SELECT highlight(lyric5, 0, '<', '>') FROM lyric5('rain')": [("<rain> on the hill",)],
    "SELECT rowid FROM lyric5('hill OR world') ORDER BY rank": [(1,), (2,)],
    "SELECT s.title FROM title5 t JOIN song s ON s.id = t.rowid WHERE title5 MATCH 'rain'": [
        ("Rain",)
    ],
    "SELECT snippet(lyric4) FROM lyric4 WHERE body MATCH 'hello'": [("<b>hello</b> world",)],
    "SELECT count(*) FROM lyric3 WHERE lyric3 MATCH 'hello'": [(1,)],
    "SELECT id FROM box WHERE x0 < 6 AND x1 > 4": [(2,)],
    "SELECT doc FROM word5 WHERE term = 'hello'": [(1,)],
    "SELECT documents FROM word4 WHERE term = 'hello' AND col = '*'": [(1,)],
}
