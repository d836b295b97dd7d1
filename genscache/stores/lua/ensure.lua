-- Create what is absent, resolve expired leases; answer, as words, generation and leased (0 no, 1 yes, 2 by the fence; 4
-- more if it was made or bumped here) of each counter, and at the end the length of the quarantine that begins here in ms,
-- -1 where none does.
-- KEYS: clock, fence and site where there is a fence, counters. ARGV: length of a lease in ms (-1: there is no fence),
-- life of the site in ms, the life of each counter in ms, if it is made or bumped here.

look(KEYS)
local clock = open_clock(KEYS[1])
local answer = {}
local lease, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local first, begun = 2, -1

local function live(lease)
  return lease[2] > now_us()
end

if lease >= 0 then
  -- Every connection has found or made a fence, so one that is not there was lost in a flush, together with every
  -- counter and every lease. This is the only step that makes counters which a reader may use, and every reader asks
  -- for the site: so nobody can come past here.
  first = 4
  local keys = { fence = KEYS[2], site = KEYS[3] }
  local raw = stored(keys.fence)
  if not raw then
    begun = lease
    quarantine(clock, keys, (incarnation()), 'flushed', lease, life)
  elseif not read(keys.site) then
    local deadline = number_below_limit(raw:match(' (%d+)$') or '0') or 0
    if deadline > now_us() then
      -- Evicted in the middle of its quarantine.
      write(keys.site, { generation = clock.next(0), leases = { { 'fence-evicted', deadline } } }, 'PX', text(life))
    end
  end
end

local function ensured(key, counter_life)
  local counter = read(key)
  local fresh = 4
  if not counter then
    counter = { generation = clock.next(0), leases = {} }
    write(key, counter, 'PX', counter_life)
  elseif filter(counter, live) > 0 then
    if counter.generation == 0 and #counter.leases > 0 then
      write_mark(key, counter, now_us())
      fresh = 0
    else
      -- Never dropped without a bump: its writer may have committed and died before it could say so.
      counter.generation = clock.next(counter.generation)
      -- A counter that ends under a lease takes the lease with it.
      write(key, counter, 'PX', text(math.max(tonumber(counter_life), lease_ms(counter, now_us()))))
    end
  else
    fresh = 0
  end
  local leased = (#counter.leases > 0 and 1 or 0) + (leased_by_fence(counter) and 1 or 0)
  return text(counter.generation) .. ' ' .. leased + fresh
end

for i = first, #KEYS do
  local raw = stored(KEYS[i])
  answer[#answer + 1] = raw and is_generation(raw) and raw .. ' 0' or ensured(KEYS[i], ARGV[i - first + 3])
end
clock.close()
answer[#answer + 1] = begun
return table.concat(answer, ' ')
