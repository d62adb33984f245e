-- The claim: leases due rows, and rows whose worker died, to one worker process, in one statement.
-- claim.py prepares it once for each connection.
--
-- $1 text[]    job types that this process may take now
-- $2 int[]     rows of each type in one claim, at most (batch_size)
-- $3 int[]     rows of each type at work in all processes, at most (max_in_flight)
-- $4 float8[]  low-water marks in seconds since 1970 (null: none): four for each type, LOW first
-- $5 float8    share of the room for the rows that have waited longest, of any priority
-- $6 int       lapsed rows, at most
-- $7 interval  length of a lease
-- $8 text      name of the process
--
-- Times are clock_timestamp(): now() stands still in a transaction. As a scalar subquery it is
-- evaluated once; a bare volatile call could not bound an index scan, which would then read every
-- row that waits for later.

-- 1. Rows at work. They fill the caps, and the lapsed rows are among them.
WITH busy AS MATERIALIZED (
    SELECT id, type, lease_expires_at FROM jobs_job WHERE status = 'processing'

-- 2. Types that are not paused, and the room of each: a batch, or what its cap leaves.
), open AS MATERIALIZED (
    SELECT t.type, t.nth, greatest(least(t.batch, t.cap - coalesce(b.n, 0)), 0) AS room
    FROM unnest($1, $2, $3) WITH ORDINALITY AS t(type, batch, cap, nth)
    LEFT JOIN (SELECT type, count(*) AS n FROM busy GROUP BY type) b USING (type)
    WHERE NOT EXISTS (SELECT FROM jobs_pausedtype p WHERE p.type = t.type)

-- 3. Due rows: of each type and priority, which is one range of the index job_due, the first from
--    its low-water mark on.
), due AS (
    SELECT row.id, row.run_at, open.type, open.room, range.priority
    FROM open CROSS JOIN generate_series(4, 1, -1) AS range(priority), LATERAL (
        SELECT id, run_at FROM jobs_job j
        WHERE j.status = 'pending' AND j.type = open.type AND j.priority = range.priority
          AND j.run_at
              >= to_timestamp(coalesce($4[open.nth * 4 - 4 + range.priority], '-infinity'))
          AND j.run_at <= (SELECT clock_timestamp())
        ORDER BY j.run_at LIMIT open.room
    ) row

-- 4. As many of each type as it has room for: first those that have waited longest, within the
--    share for them, then by priority and due time.
), chosen AS (
    SELECT id, type, room FROM (
        SELECT id, type, room, row_number() OVER (
            PARTITION BY type ORDER BY age_place > ceil(room * $5), priority DESC, run_at
        ) AS place
        FROM (
            SELECT *, row_number() OVER (PARTITION BY type ORDER BY run_at) AS age_place FROM due
        ) aged
    ) ranked
    WHERE place <= room

-- 5. Rows whose lease lapsed: their worker died or stood still. They hold their places under the
--    cap already.
), lapsed AS (
    SELECT busy.id FROM busy JOIN open USING (type)
    WHERE lease_expires_at < clock_timestamp()
    ORDER BY lease_expires_at LIMIT $6
)

-- 6. Lease them and count the attempt: the work starts at once. A row that may have killed its
--    worker is a suspect and is only leased; leasing.start counts its attempt.
UPDATE jobs_job j SET
    status = 'processing',
    is_suspect = is_suspect OR status = 'processing',
    lease_token = (random() * 9007199254740991)::bigint,
    lease_expires_at = clock_timestamp() + $7,
    worker = $8,
    attempts = attempts + (NOT is_suspect AND status = 'pending')::int,
    processed_at = CASE WHEN is_suspect OR status = 'processing' THEN processed_at
                        ELSE clock_timestamp() END
-- 7. Rows are locked in the order of their ids, and skipped if another transaction has them.
--    Checked once more, since somebody may have renewed or cancelled a row after it was chosen.
--    CASE, since for OR the planner may read both partial indexes from end to end.
WHERE id = ANY(ARRAY(
    SELECT id FROM jobs_job
    WHERE id = ANY(ARRAY(SELECT id FROM lapsed UNION ALL SELECT id FROM chosen))
      AND CASE status WHEN 'pending' THEN run_at <= clock_timestamp()
                      WHEN 'processing' THEN lease_expires_at < clock_timestamp() END
    ORDER BY id FOR UPDATE SKIP LOCKED
))
-- 8. The columns of a job (leasing.COLUMNS), whether its lease had lapsed, and whether more of its
--    type may be due: all the room is taken.
RETURNING {columns},
    id = ANY(ARRAY(SELECT id FROM lapsed)),
    type = ANY(ARRAY(SELECT type FROM chosen GROUP BY type HAVING count(*) = min(room)))
