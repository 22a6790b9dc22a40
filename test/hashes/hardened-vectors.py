"""Makes vectors/hardened.json from hashlib and the package `cryptography`, which share nothing with the program.

    python3 test/hashes/hardened-vectors.py > test/hashes/vectors/hardened.json
"""
import base64, hashlib, hmac, json
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

KEY = b"the hardening key of the vectors, 32 bytes and more"
OTHER_KEY = b"another hardening key that the vectors do not have"
SOURCE = "hashlib and cryptography (hardened-vectors.py)"


def derived(key, purpose):
    return hmac.digest(key, b"carryover hardened 1 " + purpose, "sha256")


def hardened(legacy, digest, row="", cost=(64, 1, 1), key=KEY):
    m, t, p = cost
    salt = hmac.digest(derived(key, b"salt"), f"{row}\0{legacy}".encode(), "sha256")[:16]
    made = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m).derive(digest)
    text = base64.b64encode(salt).decode().rstrip("=")
    part = f"$carryover$v=1$k={derived(key, b'id').hex()[:8]}$m={m},t={t},p={p}${legacy}${text}"
    bound = f"{row}\0{part}".encode()
    nonce = hmac.digest(derived(key, b"nonce"), bound + made, "sha256")[:12]
    sealed = nonce + AESGCM(derived(key, b"seal")).encrypt(nonce, made, bound)
    return f"{part}${base64.b64encode(sealed).decode()}"


def md5(text):
    return hashlib.md5(text).digest()


PASSWORD = "Pa\u00dfwort-of-1999"
BYTES = PASSWORD.encode()
vectors = []


def add(name, encoded, password=PASSWORD, **more):
    vectors.append({"id": f"hardened-{name}", "source": SOURCE, "encoded": encoded, "password": password, **more})


def pair(name, encoded, **more):
    add(name, encoded, expect=True, **more)
    add(f"{name}-wrong", encoded, password=PASSWORD + "0", expect=False, **more)


NONE = base64.b64encode(bytes(20)).decode()
SSHA = base64.b64encode(bytes(20) + b"saltsalt").decode()
PBKDF2 = hashlib.pbkdf2_hmac("sha256", BYTES, b"seasalt", 1000)
MD5 = hardened("0" * 32, md5(BYTES))
pair("md5", MD5, scheme="md5")
pair("md5-row", hardened("0" * 32, md5(BYTES), row="user-7"), scheme="md5", row="user-7")
pair("md5-owasp", hardened("0" * 32, md5(BYTES), cost=(19456, 2, 1)), scheme="md5")
pair("md5-lanes", hardened("0" * 32, md5(BYTES), cost=(64, 2, 4)), scheme="md5")
pair("recipe", hardened("0" * 64, hashlib.sha256(b"nacl" + BYTES).digest()), scheme="sha256($salt.$pass)", salt="nacl")
pair("ldap-sha", hardened("{SHA}" + NONE, hashlib.sha1(BYTES).digest()))
pair("ldap-ssha", hardened("{SSHA}" + SSHA, hashlib.sha1(BYTES + b"saltsalt").digest()))
pair("mysql41", hardened("*" + "0" * 40, hashlib.sha1(hashlib.sha1(BYTES).digest()).digest()))
pair("postgres-md5", hardened("md5" + "0" * 32, md5(BYTES + b"ann")), login="ann")
pair("django-salted", hardened("sha1$abc$" + "0" * 40, hashlib.sha1(b"abc" + BYTES).digest()))
pair("django-salted-hmac", hardened("sha1$abc$" + "0" * 40, hmac.digest(b"abc", BYTES, "sha1")))
pair("pbkdf2-django", hardened("pbkdf2_sha256$1000$seasalt$" + "A" * 43 + "=", PBKDF2))
pair("plaintext", hardened("{noop}-", hashlib.sha256(BYTES).digest()))

add("other-row", MD5, scheme="md5", row="user-8", expect=False, defect="malformed")
add("other-key", hardened("0" * 32, md5(BYTES), key=OTHER_KEY), scheme="md5", expect=False, defect="missing-secret")
add("changed-cost", MD5.replace("m=64", "m=65"), scheme="md5", expect=False, defect="malformed")
add("changed-seal", MD5[:-1] + ("A" if MD5[-1] != "A" else "B"), scheme="md5", expect=False, defect="malformed")
add("with-digest", hardened(md5(BYTES).hex(), md5(BYTES)), scheme="md5", expect=False, defect="malformed")
add("twice", hardened(MD5, md5(BYTES)), scheme="md5", expect=False, defect="malformed")
add("no-such-family", hardened("$2b$04$" + "." * 53, md5(BYTES)), expect=False, defect="malformed")
add("ambiguous", hardened("0" * 32, md5(BYTES)), expect=False, defect="ambiguous")
add("bomb", hardened("0" * 32, md5(BYTES), cost=(64, 1, 1)).replace("m=64", "m=9999999"), scheme="md5", expect=False, defect="malformed")
add("too-costly", hardened("0" * 32, md5(BYTES), cost=(64, 99, 1)), scheme="md5", expect=False, defect="too-costly")
print(json.dumps(vectors, indent=2))
