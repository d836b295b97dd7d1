-- The plain case of asking for counters: each has a generation and no lease, or is absent, and the fence stands. See
-- plain_lease.
-- KEYS, ARGV: see below.

do
  local found = redis.call('MGET', unpack(KEYS))
  local clock = found[1]
  local fenced = ARGV[1] ~= '-1'
  local first = fenced and 4 or 2
  local plain = clock and #clock == 16 and clock:find('^[1-8][0-9]*$') and not (fenced and not (found[2] and found[3]))
  local seen = {}
  for i = fenced and 3 or 2, #KEYS do
    local raw = found[i]
    plain = plain and (raw or not seen[KEYS[i]]) and (not raw or #raw == 16 and raw:find('^[1-8][0-9]*$'))
    seen[KEYS[i]] = true
  end
  if plain then
    local now, last = nil, tonumber(clock)
    for i = first, #KEYS do
      if found[i] then
        found[i] = found[i] .. ' 0'
      else
        if not now then
          local time = redis.call('TIME')
          now = time[1] * 1000000 + time[2]
        end
        last = math.max(last + 1, now)
        local generation = string.format('%.0f', last)
        redis.call('SET', KEYS[i], generation, 'PX', ARGV[i - first + 3])
        found[i] = generation .. ' 4'
      end
    end
    if now then
      redis.call('SET', KEYS[1], string.format('%.0f', last))
    end
    found[#KEYS + 1] = -1
    return table.concat(found, ' ', first, #KEYS + 1)
  end
end

