// PM2, instead of systemd: pm2 start ecosystem.config.cjs && pm2 save && pm2 startup
//
// Settings come from .env in `cwd`, which holds tokens and passwords: chmod 600, owned by the user PM2 runs as.

module.exports = {
  apps: [
    {
      name: 'hubspot-connector',
      script: '/usr/local/bin/hubspot-connector',
      args: 'run',
      interpreter: 'none',
      cwd: '/opt/hubspot-connector',
      // Memory a listing no longer needs goes back at once, instead of when more is next asked for: 10 MB less while idle.
      env: { MIMALLOC_PURGE_DELAY: '0' },
      // One process an account: the request limit is the account's, and a second process would only stand by.
      exec_mode: 'fork',
      instances: 1,
      autorestart: true,
      // 0 = stopped in good order, 2 = wrong usage or invalid configuration, which needs a person.
      stop_exit_codes: [0, 2],
      // First delay in milliseconds; PM2 lengthens it up to 15 s while the process keeps failing.
      exp_backoff_restart_delay: 1000,
      // A full listing of a million records stays below 64 MB; far beyond that is a fault worth a restart.
      max_memory_restart: '256M',
      // Milliseconds between SIGINT and SIGKILL; the daemon finishes its pages within 25 s.
      kill_timeout: 30000,
      // The log lines carry their own time. The directory must belong to the user PM2 runs as; it is not the one of the
      // units, whose owner systemd-tmpfiles sets at every boot.
      error_file: '/var/log/hubspot-connector-pm2/hubspot-connector.log',
      out_file: '/dev/null',
      time: false,
    },
  ],
};
