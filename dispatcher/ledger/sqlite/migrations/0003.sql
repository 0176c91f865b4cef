-- How far Studio's clock was ahead of ours, as the run measured it. NULL: not known.
ALTER TABLE runs ADD COLUMN clock_skew_ms INTEGER;
