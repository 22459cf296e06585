//! The processes: supervisor and pulse, scripts, notifications, logs
