-- Record a token on each counter; on an absent one, leave a mark without a generation.
-- KEYS: counters. ARGV: token, duration in ms.

also_when_full(KEYS[1])
local now = now_us()
local deadline = now + tonumber(ARGV[2]) * 1000

local function others(lease)
  if lease[1] ~= ARGV[1] then
    return true
  end
  -- A renewal never shortens: an answer that was lost may be the longer one.
  deadline = math.max(deadline, lease[2])
  return false
end

for i = 1, #KEYS do
  local counter = read(KEYS[i]) or { generation = 0, leases = {} }
  deadline = now + tonumber(ARGV[2]) * 1000
  filter(counter, others)
  counter.leases[#counter.leases + 1] = { ARGV[1], deadline }
  if counter.generation == 0 then
    write_mark(KEYS[i], counter, now)
  else
    local left, needed = redis.call('PTTL', KEYS[i]), lease_ms(counter, now)
    if left >= 0 and left < needed then
      -- A counter that expires under a lease takes the lease with it: the next reader would fill old rows.
      write(KEYS[i], counter, 'PX', text(needed))
    else
      write(KEYS[i], counter, 'KEEPTTL')
    end
  end
end
return 1
