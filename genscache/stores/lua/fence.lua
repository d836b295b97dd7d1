-- Passed by each new connection before it is used: nobody reads from a server that has restarted, was restored or has
-- taken over before the site was bumped there. Answers why a quarantine begins, "" where none does, and its length in
-- ms; or "look" and 0 where something has to be done and this was only a look.
-- KEYS: clock, fence, site. ARGV: length of a lease in ms (0: there are none), life of the site in ms, and "look", or
-- "known" if this project is known to have been on this server, or "new" if it is not.

local lease, life, mode = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local keys = { fence = KEYS[2], site = KEYS[3] }
local run, uptime = incarnation()
local raw = stored(keys.fence)
if raw and raw:match('^(%w+) %d+$') == run then
  return { '', 0 }
end
if mode == 'look' then
  return { mode, 0 }
end

local reason, ms = 'restored', lease
if not raw and mode == 'known' then
  reason = 'flushed'
elseif not raw then
  -- Leases that were granted before the start have run out when a lease's length has passed since. Whole seconds
  -- are told, so one of them may not have passed.
  reason, ms = 'empty', math.min(lease, lease - (uptime - 1) * 1000)
  if ms <= 0 then
    also_when_full(keys.fence)
    store(keys.fence, run .. ' 0')
    return { '', 0 }
  end
end
local clock = open_clock(KEYS[1])
quarantine(clock, keys, run, reason, ms, life)
clock.close()
return { reason, ms }
