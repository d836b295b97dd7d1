-- Record a token on each counter; on an absent one, leave a mark without a generation.
-- KEYS: counters. ARGV: token, duration in ms, life of a counter in ms.

also_when_full(KEYS[1])
look(KEYS)
local now = now_us()
local deadline = now + tonumber(ARGV[2]) * 1000
local lease = ' ' .. ARGV[1] .. '@' .. text(deadline)

local function others(found)
  if found[1] ~= ARGV[1] then
    return true
  end
  -- A renewal never shortens: an answer that was lost may be the longer one.
  deadline = math.max(deadline, found[2])
  return false
end

-- A counter that ends under a lease takes the lease with it: the next reader would fill old rows. So it lives anew.
for i = 1, #KEYS do
  local raw = held[KEYS[i]]
  if raw and is_generation(raw) then
    store(KEYS[i], raw .. lease, 'PX', ARGV[3])
  else
    local counter = read(KEYS[i]) or { generation = 0, leases = {} }
    deadline = now + tonumber(ARGV[2]) * 1000
    filter(counter, others)
    counter.leases[#counter.leases + 1] = { ARGV[1], deadline }
    if counter.generation == 0 then
      write_mark(KEYS[i], counter, now)
    else
      write(KEYS[i], counter, 'PX', ARGV[3])
    end
  end
end
return 1
