select c.CustomerNo, c.Name, count(*) as orders, sum(o.Amount) as revenue
from {{ source('raw', 'Orders') }} as o
join {{ source('raw', 'Customers') }} as c on c.CustomerNo = o.CustomerNo and c.IsLatest
group by all
