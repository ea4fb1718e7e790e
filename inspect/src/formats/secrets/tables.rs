//! What secrets are called and what they look like.

/// What is shown instead of a secret.
pub const HIDDEN: &[u8] = b"***";

/// If a name contains one of these words, its value is a secret. `ENDINGS` are also recognised at the end of a longer
/// word: `dbpassword`.
pub const WORDS: &[&[u8]] = &[
    b"key",
    b"pass",
    b"pin",
    b"otp",
    b"totp",
    b"pwd",
    b"pw",
    b"psk",
    b"pat",
    b"auth",
    b"authorization",
    b"credential",
    b"credentials",
    b"creds",
    b"cookie",
    b"bearer",
    b"jwt",
    b"sig",
    b"signature",
];
pub const ENDINGS: &[&[u8]] = &[
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"passphrase",
    b"apikey",
    b"accesskey",
    b"secretkey",
    b"privatekey",
    b"authkey",
    b"masterkey",
    b"passkey",
    b"passcode",
    b"sessid",
    b"sessionid",
];
/// Words that end like `dbpass` but do not mean a password.
pub const NO_PASS: &[&[u8]] = &[
    b"bypass",
    b"compass",
    b"encompass",
    b"multipass",
    b"overpass",
    b"surpass",
    b"trespass",
    b"underpass",
];
/// Last words of a name that say where the secret is or what it is like. The value is then not the secret itself.
pub const ABOUT: &[&[u8]] = &[
    b"file", b"path", b"dir", b"name", b"type", b"env", b"fd", b"length", b"size", b"limit", b"ttl",
];
/// How the tokens of known services begin, and how many characters must follow at least.
pub const PREFIXES: &[(&[u8], usize)] = &[
    (b"AKIA", 12),
    (b"ASIA", 12),
    (b"AIza", 30),
    (b"ya29.", 10),
    (b"ghp_", 16),
    (b"gho_", 16),
    (b"ghu_", 16),
    (b"ghs_", 16),
    (b"ghr_", 16),
    (b"github_pat_", 16),
    // GitLab: users, runners, deployments, jobs, triggers, feeds, mail, agents, SCIM.
    (b"glpat-", 16),
    (b"glrt-", 16),
    (b"GR1348941", 16),
    (b"gldt-", 16),
    (b"glcbt-", 16),
    (b"glptt-", 16),
    (b"glft-", 16),
    (b"glimt-", 16),
    (b"glagent-", 16),
    (b"glsoat-", 16),
    // Vault: service, batch and recovery tokens.
    (b"hvs.", 16),
    (b"hvb.", 16),
    (b"hvr.", 16),
    (b"AGE-SECRET-KEY-1", 16),
    (b"HRKU-", 16),
    (b"sk-", 16),
    (b"sk_live_", 10),
    (b"rk_live_", 10),
    (b"sk_test_", 10),
    (b"xoxa-", 8),
    (b"xoxb-", 8),
    (b"xoxe-", 8),
    (b"xoxp-", 8),
    (b"xoxr-", 8),
    (b"xoxs-", 8),
    (b"xapp-", 8),
    (b"npm_", 20),
    (b"pypi-", 16),
    (b"hf_", 16),
    (b"dop_v1_", 16),
    (b"SG.", 16),
    // A JSON Web Token: base64 of `{"`.
    (b"eyJ", 16),
];
