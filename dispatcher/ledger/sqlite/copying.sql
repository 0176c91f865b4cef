-- What a copy into another database needs of this one. {…} are names out of ledger/tables.py, never anybody's text.

-- name: columns
SELECT name, type FROM pragma_table_info('{table}') ORDER BY cid;

-- name: rows
SELECT {columns} FROM "{table}" WHERE {after} ORDER BY {key};

-- name: count
SELECT count(*) FROM "{table}";

-- name: figures
SELECT {figures} FROM "{table}";

-- name: counts
SELECT "{column}", count(*) FROM "{table}" GROUP BY 1 ORDER BY 1;

-- name: sending
SELECT DISTINCT c.name FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
WHERE r.state = 'sending' ORDER BY c.name;

-- name: running
SELECT DISTINCT coalesce(c.name, '') FROM runs AS u LEFT JOIN campaigns AS c USING (campaign_id) WHERE u.stopped_at_ms IS NULL ORDER BY 1;

-- name: unfit
-- Rows of which a text is not what another database takes; for people, so without the text itself.
SELECT {key}, {texts} FROM "{table}" WHERE {unfit};

-- name: put
INSERT INTO main."{table}" ({columns}) VALUES ({holes});

-- name: made
SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%';
