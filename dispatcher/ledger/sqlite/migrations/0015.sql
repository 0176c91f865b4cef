-- Rows that have senders of their own, by sender: those of one that has sent enough for today cost nothing while they wait.
CREATE INDEX rows_from ON rows (row_id >> 32, from_address, place_id, not_before_ms)
  WHERE state = 'planned' AND from_address IS NOT NULL;

-- Of an input either each row that can be sent has a from_address, or none has.
ALTER TABLE inputs ADD COLUMN own_senders INTEGER NOT NULL DEFAULT 0;
UPDATE inputs SET own_senders = 1 WHERE input_id IN (SELECT DISTINCT row_id >> 32 FROM rows WHERE from_address IS NOT NULL);
UPDATE rows SET from_address = i.from_address FROM inputs AS i
WHERE i.own_senders AND i.from_address IS NOT NULL AND rows.row_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1
  AND rows.from_address IS NULL AND rows.row_key IS NOT NULL;
