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

local moment

-- The server's time, asked for once in a step, and only by a step that needs it.
local function now_us()
  if not moment then
    local time = redis.call('TIME')
    moment = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  return moment
end

-- What keys hold, as this step has found it or left it: read once, all of them together.
local held = {}

-- MGET and not GET: it answers nil for a list or a hash, where GET stops the step with an error.
local function look(keys)
  local found = redis.call('MGET', unpack(keys))
  for i = 1, #keys do
    held[keys[i]] = found[i]
  end
end

local function stored(key)
  if held[key] == nil then
    look({ key })
  end
  return held[key]
end

local function store(key, value, ...)
  redis.call('SET', key, value, ...)
  held[key] = value
end

local function remove(key)
  redis.call('UNLINK', key)
  held[key] = false
end

-- What most counters are: a generation, and no lease.
local function is_generation(raw)
  return #raw <= 16 and raw:find('^[1-9][0-9]*$') and (#raw < 16 or raw < '9007199254740992')
end

-- What those are that a write is about to settle: a generation, and one lease. Returns the two, nothing for others.
local function only_lease(key)
  local raw = stored(key)
  if raw then
    local digits, token, deadline = raw:match('^([1-9][0-9]*) ([A-Za-z0-9_.-]+)@([0-9]+)$')
    local generation = digits and number_below_limit(digits)
    if generation and number_below_limit(deadline) then
      return generation, token
    end
  end
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
  local words = text(counter.generation)
  for _, lease in ipairs(counter.leases) do
    words = words .. ' ' .. lease[1] .. '@' .. text(lease[2])
  end
  store(key, words, ...)
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
    remove(key)
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
local function open_clock(key)
  local raw = stored(key)
  local last = (raw and raw:find('^[0-9]+$') and number_below_limit(raw)) or 0
  local advanced = false
  local clock = {}
  function clock.next(above)
    last = math.max(last + 1, now_us(), above + 1)
    if last >= LIMIT then
      last = now_us()
    end
    advanced = true
    return last
  end
  function clock.close()
    if advanced then
      store(key, text(last))
    end
  end
  return clock
end
