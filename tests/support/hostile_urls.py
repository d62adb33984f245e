"""URLs that lead inside, or that parsers read in different ways."""

from __future__ import annotations

HOSTILE_URLS = [
    *("", "hooks.example.com", "/path", "//host/", "ftp://example.com/", "file:///etc/passwd"),
    *("gopher://example.com", "javascript:alert(1)", "https://", "https:///x", "http://:80/"),
    *("http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/"),
    *("http://a@b@c/", "http://example.com:0/", "http://example.com:65536/"),
    *("http://example.com:x/", "http://exa mple.com/", "http://example.com/\r\nX: y"),
    *("http://example.com/\n", " http://example.com/", "http://example.com/\x00"),
    *("http://example.com\\@127.0.0.1/", "http://a%2eb/", "http://[::1/", "http://]/"),
    *("http://-..example.com/", "http://" + "a" * 64 + ".com/", "http://a..b/"),
    "https://example.com/" + "x" * 3000,
    *("http://localhost/", "http://localhost./", "http://LOCALHOST:80/", "http://a.localhost/"),
    *("http://127.0.0.1/", "http://127.1/", "http://127.0.0.1./", "http://0/", "http://0x7f.1/"),
    *("http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/", "http://017700000001/"),
    *("http://0x/", "http://1.2.3.4.5/", "http://256.1.1.1/", "http://example.1/"),
    *("http://１２７.0.0.1/", "http://127。0。0。1/", "http://①②⑦.0.0.1/"),  # noqa: RUF001
    *("http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/"),
    *("http://[2606:4700::1111%25eth0]/", "http://[::ffff:7f00:1]/", "http://[v1.x]/"),
    *("http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/"),
]  # fmt: skip
