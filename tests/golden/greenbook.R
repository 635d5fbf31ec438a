# Writes greenbook.csv: discount factors and present values by the R package greenbook
# (0.1.1, commit 6ad7f37 of https://github.com/charlescoverdale/greenbook; R 4.2.2).
# Run with the package installed: R -q -f greenbook.R
library(greenbook)
rows <- list()
add <- function(call, schedule, year, value) {
  rows[[length(rows) + 1]] <<- data.frame(call = call, schedule = schedule, year = year,
                                          value = sprintf("%.15g", value))
}
for (s in c("standard", "health", "catastrophic")) {
  for (y in c(0, 1, 2, 5, 10, 30, 31, 60, 75, 76, 100, 125, 126, 200, 201, 300, 301, 500)) {
    add("gb_discount_factor", s, y, gb_discount_factor(y, schedule = s))
  }
}
for (s in c("standard", "health")) {
  for (y in c(5, 10, 30, 60, 100)) {
    add("sum(gb_discount_factor(1:year))", s, y, sum(gb_discount_factor(1:y, schedule = s)))
  }
  value <- gb_npv(c(-100, rep(30, 5)), schedule = s)
  add("gb_npv(c(-100, rep(30, 5)))", s, 5, value$npv)
  add("gb_eanc(gb_npv(c(-100, rep(30, 5))))", s, 5, gb_eanc(value))
}
value <- gb_npv(c(-100, rep(3, 60)))
add("gb_npv(c(-100, rep(3, 60)))", "standard", 60, value$npv)
add("gb_eanc(gb_npv(c(-100, rep(3, 60))))", "standard", 60, gb_eanc(value))
write.csv(do.call(rbind, rows), "greenbook.csv", row.names = FALSE, quote = c(1, 2))
