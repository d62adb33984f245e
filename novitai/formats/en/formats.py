"""How the admin writes moments: with seconds and zone, since operators compare them with logs."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
