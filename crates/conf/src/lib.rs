//! keepalived.conf: source to tree to checked model, with diagnostics
