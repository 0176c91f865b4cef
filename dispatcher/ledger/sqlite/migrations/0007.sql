-- Why an attempt that was unknown counts as not sent. Of those before, that the list did not show them was the reason.
ALTER TABLE attempts ADD COLUMN absence TEXT CHECK (absence = 'proved' OR absence = 'assumed' OR absence = 'risked');
CREATE INDEX attempts_absent ON attempts (row_id) WHERE absence IS NOT NULL;
UPDATE attempts SET absence = 'assumed' WHERE outcome = 'not_sent' AND error_message = 'not found by reconcile: sent again';
