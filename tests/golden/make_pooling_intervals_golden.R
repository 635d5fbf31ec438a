# Reference numbers from R for confidence intervals of the spread between areas (tau^2), by the Q-profile. Run from anywhere:
#   Rscript make_pooling_intervals_golden.R
# Reads pooling_data.csv beside itself, writes pooling_intervals.csv. README.md says what is what.
suppressPackageStartupMessages(library(metafor))
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
data <- read.csv(file.path(here, "pooling_data.csv"))
rows <- list()
add <- function(case, quantity, value) rows[[length(rows) + 1L]] <<- data.frame(case = case, quantity = quantity,
  value = ifelse(is.na(as.numeric(value)), "NA", sprintf("%.12g", as.numeric(value))))
for (name in unique(data$case)) for (m in c("REML", "PM")) { d <- data[data$case == name, ]; case <- paste(name, tolower(m), sep = "_")
  f <- rma(y, sei = se, data = d, method = m, control = list(threshold = 1e-12, tol = 1e-12, maxiter = 1e4))
  for (level in c(95, 90, 80)) { r <- confint(f, level = level, control = list(tol = 1e-14, maxiter = 1e5, tau2.max = 1e4))
    for (q in c("tau^2", "tau", "I^2(%)", "H^2")) for (b in c("ci.lb", "ci.ub")) add(case, paste0(c("tau^2" = "tau2", tau = "tau", "I^2(%)" = "I2", "H^2" = "H2")[[q]], "_", level, c(ci.lb = "_low", ci.ub = "_high")[[b]]), r$random[q, b])
    if (level == 95) { add(case, "tau2", r$random["tau^2", "estimate"]); add(case, "QE", f$QE) } } }
write.csv(do.call(rbind, rows), file.path(here, "pooling_intervals.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
