//! A cluster of failover brains on a virtual network under a virtual clock
