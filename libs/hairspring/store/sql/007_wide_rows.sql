-- States of more than 2 kB stay in their row, as they are. Postgres would compress them, in vain, or
-- put them into a table beside it, and then take three times as long to update a row (25 to 33 µs
-- instead of 9 to 10, with 2.4 and 3.5 kB). One that does not fit a page is still put there.
ALTER TABLE {schema}.profiles SET (toast_tuple_target = 8160);
ALTER TABLE {schema}.fills SET (toast_tuple_target = 8160);
