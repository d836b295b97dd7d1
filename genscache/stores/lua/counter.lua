-- What every step knows of a counter and of the bump clock. This text is put in front of each step.
--
-- A counter:    "<generation>"  or  "<generation> <token>@<deadline in us> <token>@<deadline in us>"
-- A mark only:  generation 0 with at least one lease.
-- Anything else (cut, foreign, another type) counts as absent: it gets a generation that it never had.

local LIMIT = 9007199254740992 -- 2^53: above it two numbers could be one

local function number_below_limit(digits)
  if #digits > 16 or (#digits > 1 and digits:sub(1, 1) == '0') then
    return nil
  end
  local number = tonumber(digits)
  if number >= LIMIT then
    return nil
  end
  return number
end

local function text(number)
  return string.format('%.0f', number)
end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- MGET and not GET: it answers nil for a list or a hash, where GET stops the step with an error.
local function stored(key)
  return redis.call('MGET', key)[1]
end

-- Returns {generation = g, leases = {{token, deadline}, ...}}, or nil for what is absent or unreadable.
local function read(key)
  local raw = stored(key)
  if not raw then
    return nil
  end
  local _, stop, digits = raw:find('^([0-9]+)')
  local generation = digits and number_below_limit(digits)
  if not generation then
    return nil
  end
  local leases = {}
  while stop < #raw do
    local _, last, token, deadline = raw:find('^ ([A-Za-z0-9_.-]+)@([0-9]+)', stop + 1)
    deadline = last and number_below_limit(deadline)
    if not deadline then
      return nil
    end
    leases[#leases + 1] = { token, deadline }
    stop = last
  end
  if generation == 0 and #leases == 0 then
    return nil
  end
  return { generation = generation, leases = leases }
end

local function write(key, counter, ...)
  local words = { text(counter.generation) }
  for _, lease in ipairs(counter.leases) do
    words[#words + 1] = lease[1] .. '@' .. text(lease[2])
  end
  redis.call('SET', key, table.concat(words, ' '), ...)
end

-- For the steps that writes and invalidations wait for, before they SET anything. A server that is full (maxmemory with
-- noeviction) refuses the first SET of a step, and no later one: a step that has written is not stopped in the middle.
-- Removing what is never there counts as having written, on Redis 6.2 as well, which knows no "flags=allow-oom". What a
-- bump or a lease adds is a few bytes on counters; that old entries stay reachable for want of them would be worse.
local function also_when_full(key)
  redis.call('UNLINK', key .. ':full') -- no key of ours ends so: names are quoted and hold no colon
end

-- Milliseconds until the last lease ends; not above zero when all of them have ended.
local function lease_ms(counter, now)
  local longest = now
  for _, lease in ipairs(counter.leases) do
    longest = math.max(longest, lease[2])
  end
  return math.ceil((longest - now) / 1000)
end

-- A mark must not outlive its longest lease, or readers would bypass for nothing.
local function write_mark(key, counter, now)
  local life = lease_ms(counter, now)
  if life > 0 then
    write(key, counter, 'PX', text(life))
  else
    redis.call('UNLINK', key)
  end
end

-- Keeps the leases for which keep(lease) holds; returns how many went.
local function filter(counter, keep)
  local kept = {}
  for _, lease in ipairs(counter.leases) do
    if keep(lease) then
      kept[#kept + 1] = lease
    end
  end
  local gone = #counter.leases - #kept
  counter.leases = kept
  return gone
end

-- clock = max(clock + 1, time). A counter never falls below what it had, even if the clock key was lost
-- and the server's time has been set back since.
local function open_clock(key, now)
  local raw = stored(key)
  local last = (raw and raw:find('^[0-9]+$') and number_below_limit(raw)) or 0
  local advanced = false
  local clock = {}
  function clock.next(above)
    last = math.max(last + 1, now, above + 1)
    if last >= LIMIT then
      last = now
    end
    advanced = true
    return last
  end
  function clock.close()
    if advanced then
      redis.call('SET', key, text(last))
    end
  end
  return clock
end
