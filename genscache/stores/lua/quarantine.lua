-- What the steps know that notice a server which is not the one that it was. This text follows the shared one.
--
-- The fence: "<run id> <end of the quarantine in us, 0 where there was none>", without a time to live.
-- A quarantine: a lease on the site whose token begins with "fence-". No writer's does, and nobody settles it.

-- The server's own name for this run of its process, and for how many seconds it has run.
local function incarnation()
  local info = redis.pcall('INFO', 'server')
  if type(info) == 'table' then
    error({ err = "NOPERM INFO is refused, so a restart cannot be noticed: grant +info, or set FENCE to False." })
  end
  local run, seconds = info:match('run_id:(%w+)'), info:match('uptime_in_seconds:(%d+)')
  if not run or not seconds then
    error({ err = 'ERR INFO tells no run_id, so a restart cannot be noticed: set FENCE to False.' })
  end
  return run, tonumber(seconds)
end

local function is_fence(lease)
  return lease[1]:sub(1, 6) == 'fence-'
end

local function leased_by_fence(counter)
  for _, lease in ipairs(counter.leases) do
    if is_fence(lease) then
      return true
    end
  end
  return false
end

-- The bump makes every entry unreachable, those of the future that the server has forgotten included. While the lease
-- lasts nobody serves or fills, since leases that were lost may cover a COMMIT; its end bumps once more, as every
-- lease's does. A length of 0 ms is the bump alone.
local function quarantine(clock, keys, run, reason, ms, life)
  also_when_full(keys.fence)
  local site = read(keys.site) or { generation = 0, leases = {} }
  site.generation = clock.next(site.generation)
  local deadline = 0
  if ms > 0 then
    deadline = now_us() + ms * 1000
    for _, lease in ipairs(site.leases) do
      if is_fence(lease) then
        deadline = math.max(deadline, lease[2])
      end
    end
    filter(site, function(lease) return not is_fence(lease) end)
    site.leases[#site.leases + 1] = { 'fence-' .. reason, deadline }
  end
  write(keys.site, site, 'PX', text(math.max(life, lease_ms(site, now_us()))))
  store(keys.fence, run .. ' ' .. text(deadline))
end
