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
-- $9 bool[]    whether keys share each type (JobType.is_fair)
-- $10 text[]   the key after which the search for keys of each type goes on; "" from the start
--
-- Times are clock_timestamp(): now() stands still in a transaction. As a scalar subquery it is
-- evaluated once; a bare volatile call could not bound an index scan, which would then read every
-- row that waits for later.

-- 1. Rows at work. They fill the caps, and the lapsed rows are among them.
WITH RECURSIVE busy AS MATERIALIZED (
    SELECT id, type, fair_key, processed_at, lease_expires_at FROM jobs_job
    WHERE status = 'processing'

-- 2. Types that are not paused, and the room of each: a batch, or what its cap leaves. ``free`` is
--    all that the cap leaves.
), open AS MATERIALIZED (
    SELECT t.type, t.nth, t.is_fair, t.after, greatest(t.cap / {slow_part}, 1) AS slow_most,
        greatest(t.cap - coalesce(b.n, 0), 0) AS free,
        greatest(least(t.batch, t.cap - coalesce(b.n, 0)), 0) AS room
    FROM unnest($1, $2, $3, $9, $10) WITH ORDINALITY AS t(type, batch, cap, is_fair, after, nth)
    LEFT JOIN (SELECT type, count(*) AS n FROM busy GROUP BY type) b USING (type)
    WHERE NOT EXISTS (SELECT FROM jobs_pausedtype p WHERE p.type = t.type)

-- 3. Due rows: of each type and priority, which is one range of the index job_due, the first from
--    its low-water mark on. Of a fair type a few more, to choose among keys.
), due AS MATERIALIZED (
    SELECT row.*, open.type, open.room, open.is_fair, range.priority
    FROM open CROSS JOIN generate_series(4, 1, -1) AS range(priority), LATERAL (
        SELECT id, run_at, fair_key, attempts FROM jobs_job j
        WHERE j.status = 'pending' AND j.type = open.type AND j.priority = range.priority
          AND j.run_at
              >= to_timestamp(coalesce($4[open.nth * 4 - 4 + range.priority], '-infinity'))
          AND j.run_at <= (SELECT clock_timestamp())
        ORDER BY j.run_at
        LIMIT open.room * CASE WHEN open.is_fair THEN {window} ELSE 1 END
    ) row

-- 4. Keys at work, and those that are slow: known as such, or with a row that takes long now.
), keys AS MATERIALIZED (
    SELECT type, fair_key, split_part(fair_key, '|', 1) AS project, count(*) AS n,
        bool_or(processed_at < clock_timestamp() - interval '{slow_seconds} s') AS is_hanging
    FROM busy JOIN open USING (type) WHERE open.is_fair GROUP BY type, fair_key
), slow AS MATERIALIZED (
    SELECT type, fair_key FROM jobs_slowkey WHERE until > clock_timestamp()
    UNION SELECT type, fair_key FROM keys WHERE is_hanging

-- 5. Where the first due rows fill the window, they may all be of keys that have their share. Then
--    the index job_fair is walked from key to key: some in each claim, few where the window has
--    many projects.
), walk AS (
    SELECT type, CASE WHEN w.projects < {few} THEN {steps} ELSE {few} END AS steps,
        0 AS step, after AS fair_key
    FROM open JOIN (
        SELECT type, count(*) AS n, count(DISTINCT split_part(fair_key, '|', 1)) AS projects
        FROM due WHERE is_fair GROUP BY type
    ) w USING (type)
    WHERE w.n >= room * {window}
    UNION ALL
    SELECT walk.type, walk.steps, walk.step + 1, (
        SELECT j.fair_key FROM jobs_job j
        WHERE j.status = 'pending' AND j.type = walk.type AND j.fair_key > walk.fair_key
          AND j.fair_key <> ''
        ORDER BY j.fair_key LIMIT 1
    )
    FROM walk WHERE walk.step < walk.steps AND walk.fair_key IS NOT NULL

-- 6. Rows among which a fair type chooses: the first due ones, and the first of the walked keys.
), candidates AS (
    SELECT id, run_at, fair_key, attempts, type, priority FROM due WHERE is_fair
    UNION
    SELECT row.id, row.run_at, walk.fair_key, row.attempts, walk.type, row.priority
    FROM walk, LATERAL (
        SELECT id, run_at, attempts, priority FROM jobs_job j
        WHERE j.status = 'pending' AND j.type = walk.type AND j.fair_key = walk.fair_key
          AND j.fair_key <> '' AND j.run_at <= (SELECT clock_timestamp())
        ORDER BY j.run_at LIMIT {each}
    ) row
    WHERE walk.step > 0 AND walk.fair_key IS NOT NULL

-- 7. The turn of each row within its key: first attempts first. A key may have as many rows at work
--    as places are free, so one key alone takes half of the cap; a slow key may have one.
), of_keys AS (
    SELECT c.*, open.room, open.free, open.slow_most, split_part(c.fair_key, '|', 1) AS project,
        slow.fair_key IS NOT NULL AS is_slow, coalesce(keys.n, 0) AS at_work,
        row_number() OVER (
            PARTITION BY c.type, c.fair_key ORDER BY c.attempts > 0, c.priority DESC, c.run_at
        ) AS turn
    FROM candidates c JOIN open USING (type)
    LEFT JOIN slow ON slow.type = c.type AND slow.fair_key = c.fair_key
    LEFT JOIN keys ON keys.type = c.type AND keys.fair_key = c.fair_key

-- 8. The turn of each row within its project, and among all rows of slow keys. A project may have
--    as many rows at work as places are free, whatever the number of its keys. Slow keys have a
--    limit of their own for all projects together, half of what is left of it for one project, and
--    one place for a project that has none. What a project holds beyond (a second row of a slow
--    key, more slow keys than the limit) counts as its other rows do.
), of_projects AS (
    SELECT *, row_number() OVER (
            PARTITION BY type, is_slow, project ORDER BY turn, attempts > 0, priority DESC, run_at
        ) AS project_turn
    FROM of_keys
    WHERE turn + at_work <= CASE WHEN is_slow THEN 1 ELSE greatest(free, 1) END
), at_work AS MATERIALIZED (
    SELECT keys.type, keys.project,
        coalesce(sum(keys.n) FILTER (WHERE slow.fair_key IS NULL), 0) AS n,
        coalesce(sum(keys.n) FILTER (WHERE slow.fair_key IS NOT NULL), 0) AS slow_n,
        count(slow.fair_key) AS slow_keys
    FROM keys
    LEFT JOIN slow ON slow.type = keys.type AND slow.fair_key = keys.fair_key
    GROUP BY keys.type, keys.project
), allowed AS (
    SELECT r.*, coalesce(p.slow_keys, 0) AS slow_keys, coalesce(s.slow_keys, 0) AS all_slow_keys
    FROM of_projects r
    LEFT JOIN at_work p ON p.type = r.type AND p.project = r.project
    LEFT JOIN (
        SELECT type, sum(slow_keys) AS slow_keys FROM at_work GROUP BY type
    ) s ON s.type = r.type
    WHERE r.project_turn + CASE WHEN r.is_slow THEN coalesce(p.slow_keys, 0)
        ELSE coalesce(p.n + greatest(p.slow_n - least(p.slow_keys, r.slow_most), 0), 0) END
        <= CASE WHEN r.is_slow THEN greatest(r.slow_most - coalesce(s.slow_keys, 0), 1)
                ELSE greatest(r.free, 1) END
), shared AS (
    SELECT * FROM (
        SELECT *, row_number() OVER (
            PARTITION BY type, is_slow ORDER BY project_turn, priority DESC, run_at
        ) AS class_turn
        FROM allowed
    ) a
    WHERE NOT is_slow OR class_turn + all_slow_keys <= slow_most
        OR (slow_keys = 0 AND project_turn = 1)

-- 9. As many of each type as it has room for: first those that have waited longest, within the
--    share for them, then by priority, turn and due time.
), chosen AS (
    SELECT id, type, room FROM (
        SELECT id, type, room, row_number() OVER (
            PARTITION BY type
            ORDER BY age_place > ceil(room * $5), priority DESC, is_repeated, turn, run_at
        ) AS place
        FROM (
            SELECT *, row_number() OVER (PARTITION BY type ORDER BY run_at) AS age_place
            FROM (
                SELECT id, type, room, priority, run_at, false AS is_repeated, 1 AS turn
                FROM due WHERE NOT is_fair
                UNION ALL
                SELECT id, type, room, priority, run_at, attempts > 0, project_turn FROM shared
            ) every
        ) aged
    ) ranked
    WHERE place <= room

-- 10. Rows whose lease lapsed: their worker died or stood still. They hold their places under the
--     cap already.
), lapsed AS (
    SELECT busy.id FROM busy JOIN open USING (type)
    WHERE lease_expires_at < clock_timestamp()
    ORDER BY lease_expires_at LIMIT $6
)

-- 11. Lease them and count the attempt: the work starts at once. A row that may have killed its
--     worker is a suspect and is only leased; leasing.start counts its attempt.
, taken AS (
UPDATE jobs_job j SET
    status = 'processing',
    is_suspect = is_suspect OR status = 'processing',
    lease_token = (random() * 9007199254740991)::bigint,
    lease_expires_at = clock_timestamp() + $7,
    worker = $8,
    attempts = attempts + (NOT is_suspect AND status = 'pending')::int,
    processed_at = CASE WHEN is_suspect OR status = 'processing' THEN processed_at
                        ELSE clock_timestamp() END
-- 12. Rows are locked in the order of their ids, and skipped if another transaction has them.
--     Checked once more, since somebody may have renewed or cancelled a row after it was chosen.
--     CASE, since for OR the planner may read both partial indexes from end to end.
WHERE id = ANY(ARRAY(
    SELECT id FROM jobs_job
    WHERE id = ANY(ARRAY(SELECT id FROM lapsed UNION ALL SELECT id FROM chosen))
      AND CASE status WHEN 'pending' THEN run_at <= clock_timestamp()
                      WHEN 'processing' THEN lease_expires_at < clock_timestamp() END
    ORDER BY id FOR UPDATE SKIP LOCKED
))
-- 13. The columns of a job (leasing.COLUMNS), whether its lease had lapsed, and whether more of its
--     type may be due: all the room is taken.
RETURNING {columns},
    id = ANY(ARRAY(SELECT id FROM lapsed)),
    type = ANY(ARRAY(SELECT type FROM chosen GROUP BY type HAVING count(*) = min(room)))
)
-- 14. One row at least, whose last column says where the walks have come to: "" at their end.
SELECT taken.*, walks.after FROM (
    SELECT jsonb_object_agg(type, after) AS after FROM (
        SELECT type, CASE WHEN bool_or(fair_key IS NULL) THEN '' ELSE max(fair_key) END AS after
        FROM walk GROUP BY type
    ) each
) walks LEFT JOIN taken ON true
