//! Clusters of real processes in network namespaces: demo, tests, benchmarks
