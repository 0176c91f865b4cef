-- One account under several spellings becomes one: canonical_sid and canonical_url are ledger/identity.py's.
CREATE TABLE account_spellings AS
SELECT account_id, account_sid AS written_sid, canonical_sid(account_sid) AS account_sid,
  canonical_url(base_url) AS base_url,
  min(account_id) OVER (PARTITION BY canonical_sid(account_sid), canonical_url(base_url)) AS one_id
FROM accounts;
-- A row's id was made from the SID as it was written: where it is still to be looked for, it is kept as it was sent.
UPDATE attempts SET dispatch_id = (
  SELECT made_id(s.written_sid, c.flow_sid, c.name, r.row_key)
  FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
    JOIN account_spellings AS s USING (account_id)
  WHERE r.last_attempt = attempts.attempt_id AND coalesce(r.identity, r.row_id) = attempts.row_id)
WHERE dispatch_id IS NULL AND attempt_id IN (
  SELECT r.last_attempt
  FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
    JOIN account_spellings AS s USING (account_id)
  WHERE (r.state = 'sending' OR r.state = 'unknown') AND s.written_sid <> s.account_sid);
UPDATE campaigns SET account_id = (SELECT one_id FROM account_spellings AS s WHERE s.account_id = campaigns.account_id);
UPDATE runs SET account_id = (SELECT one_id FROM account_spellings AS s WHERE s.account_id = runs.account_id)
WHERE account_id IN (SELECT account_id FROM account_spellings WHERE one_id <> account_id);
UPDATE contacts SET account_id = (SELECT one_id FROM account_spellings AS s WHERE s.account_id = contacts.account_id)
WHERE account_id IN (SELECT account_id FROM account_spellings WHERE one_id <> account_id);
-- Above the epoch of every run, so that none of them still holds the account.
UPDATE accounts SET epoch = 1 + (
  SELECT max(a.epoch) FROM accounts AS a JOIN account_spellings AS s USING (account_id)
  WHERE s.one_id = accounts.account_id)
WHERE account_id IN (SELECT one_id FROM account_spellings WHERE one_id <> account_id);
DELETE FROM accounts WHERE account_id IN (SELECT account_id FROM account_spellings WHERE one_id <> account_id);
UPDATE accounts SET (account_sid, base_url) = (
  SELECT account_sid, base_url FROM account_spellings AS s WHERE s.account_id = accounts.account_id);
DROP TABLE account_spellings;
