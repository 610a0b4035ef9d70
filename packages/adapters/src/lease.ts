export { createPostgresLease, type PostgresLeaseOptions } from './lease/postgres-lease.js';
