"""The measured transaction as SQL: on our own tables, so that indexes have the same cost."""

FIND_KEY = """
SELECT k.id, k.public_id, k.project_id, k.scopes FROM accounts_apikey k
JOIN accounts_project p ON p.id = k.project_id
WHERE k.digest = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""

INSERT_INSTANCE = """
INSERT INTO instances_instance (
    public_id, project_id, name, product_name, template_id, gpu_num, rootfs_size_gb, region,
    billing_mode, webhook_url, readiness_probe, status, status_changed_at, sequence, error_code,
    error_message, created_at, start_deadline_at, create_step, reference, upstream_name,
    product_id, cluster_id, placement, refused_offers, upstream_account, upstream_id,
    upstream_status, port_mappings, connection
) VALUES (
    %(public_id)s, %(project)s, %(name)s, %(product)s, %(template)s, %(gpus)s, %(disk)s,
    %(region)s, 'spot', '', '{}', 'creating', %(now)s, 1, '', '', %(now)s, %(deadline)s,
    'choose', %(reference)s, '', '', '', '{}', '{}', '', '', '', '[]', '{}'
) RETURNING id
"""

INSERT_EVENT = """
INSERT INTO instances_instanceevent (
    public_id, project_id, instance_id, sequence, type, from_status, to_status, occurred_at,
    actor, cause, request_id, job_id, data
) VALUES (
    %(public_id)s, %(project)s, %(instance)s, 1, 'instance.creating', '', 'creating', %(now)s,
    %(actor)s, 'requested over the API', '', '', '{}'
)
"""

INSERT_JOB = """
INSERT INTO jobs_job (
    public_id, project_id, type, subject, payload, priority, max_attempts, run_at, dedupe_key,
    request_id, error, errors, worker
) VALUES (
    %(public_id)s, %(project)s, 'create_instance', %(subject)s, %(payload)s, 3, 32767,
    clock_timestamp(), %(key)s, '', '', '[]', ''
)
"""

# By the id alone, as the service does: a generic plan that the peer keeps from its first seconds
# would read all rows of the project.
FIND = "SELECT * FROM instances_instance WHERE public_id = %s"
LIST = "SELECT * FROM instances_instance WHERE project_id = %s ORDER BY id DESC LIMIT %s"
COUNT = """
SELECT count(*) FROM (SELECT 1 FROM instances_instance WHERE project_id = %s LIMIT 10001) c
"""


def _as_pgbench() -> str:
    """The key, the three inserts and the commit; with random words as ids."""
    word = "md5(random()::text || clock_timestamp()::text)"
    own = {
        "public_id": word,
        "project": "(SELECT min(id) FROM accounts_project)",
        "name": "'bench'",
        "product": "'RTX 4090 24GB'",
        "template": "'tpl-1'",
        "gpus": "1",
        "disk": "60",
        "region": "'CN-HK-01'",
        "now": "clock_timestamp()",
        "deadline": "clock_timestamp() + interval '10 minutes'",
        "reference": f"left({word}, 20)",
        "instance": ":id",
        "actor": "'key:bench'",
        "subject": word,
        "payload": "'{}'",
        "key": word,
    }
    lines = [
        FIND_KEY.replace("%s", "'no such digest'").strip() + ";",
        "BEGIN;",
        (INSERT_INSTANCE % own).strip() + " \\gset",
        (INSERT_EVENT % own).strip() + ";",
        (INSERT_JOB % own).strip() + ";",
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


AS_PGBENCH = _as_pgbench()
