# Reference numbers from R for event studies with unit and period effects.
# Run from anywhere:  Rscript make_event_study_golden.R      (half a minute)
# R 4.2.2; fixest 0.12.2 (lrberge/fixest, with dreamerr 1.5.0 and stringmagic 1.2.0), clubSandwich 0.5.8.
# Writes event_study_data.csv (simulated, fixed seed) and event_study.csv beside itself.
suppressPackageStartupMessages({ library(fixest); library(clubSandwich) })
options(digits = 15, stringsAsFactors = FALSE); setFixest_nthreads(1)
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))

## ------------------------------------------------------------------ data: 36 units, 2008 to 2014
set.seed(20120401); units <- 36; years <- 2008:2014
fixed <- data.frame(unit = sprintf("u%02d", 1:units), dose = round(rgamma(units, 3, 0.03), 1), x = round(rnorm(units), 3),
  w = round(runif(units, 0.5, 3), 3), region = sample(letters[1:7], units, TRUE), treated = as.integer(runif(units) < 0.4))
fixed$x <- round(fixed$x + (fixed$dose - 100) / 60, 3)
d <- merge(fixed, data.frame(year = years)); d <- d[order(d$unit, d$year), ]
drift <- unlist(lapply(1:units, function(i) cumsum(rnorm(length(years)))))
d$y <- round(5 + drift + rnorm(nrow(d)) + 0.3 * d$x * (d$year - 2008) + (d$year >= 2012) * 0.01 * d$dose, 4)
d$gaps <- ifelse(runif(nrow(d)) < 0.12, NA, d$y)
write.csv(d, file.path(here, "event_study_data.csv"), row.names = FALSE, quote = FALSE)

acc <- list()
add <- function(case, quantity, value) acc[[length(acc) + 1L]] <<- data.frame(case = case, quantity = quantity, value = sprintf("%.12g", value))

## ------------------------------------------------------------------ base 2011, post 2012 to 2014, pre 2008 to 2010
study <- function(case, outcome, dose = "dose", by = character(), weight = NULL, cluster = "unit", years = 2008:2014,
                  base = 2011, pre = 2008:2010, post = 2012:2014) {
  z <- d[d$year %in% years & !is.na(d[[outcome]]), ]; z$.y <- z[[outcome]]; z$.d <- z[[dose]]
  z$.w <- if (is.null(weight)) rep(1, nrow(z)) else z[[weight]]
  others <- setdiff(sort(unique(z$year)), base)
  for (t in others) z[[paste0("d", t)]] <- z$.d * (z$year == t)
  extra <- c()
  for (name in by) { m <- if (is.character(z[[name]])) model.matrix(~ v, data.frame(v = z[[name]]))[, -1, drop = FALSE] else cbind(z[[name]])
    for (j in seq_len(ncol(m))) for (t in others) { v <- paste0(name, j, "_", t); z[[v]] <- m[, j] * (z$year == t); extra <- c(extra, v) } }
  doses <- paste0("d", others); right <- paste(c(doses, extra), collapse = " + ")
  by_fixest <- feols(as.formula(paste(".y ~", right, "| unit + year")), z, weights = ~.w, cluster = as.formula(paste0("~", cluster)), notes = FALSE, fixef.rm = "singleton")
  for (v in doses) { add(case, paste0("estimate_", v), coef(by_fixest)[[v]]); add(case, paste0("cr1_", v), se(by_fixest)[[v]]) }
  formula <- as.formula(paste(".y ~", right, "+ factor(unit) + factor(year)"))
  fit <- if (is.null(weight)) lm(formula, z) else lm(formula, z, weights = .w)
  V <- vcovCR(fit, cluster = z[[cluster]], type = "CR2")
  found <- coef_test(fit, vcov = V, coefs = doses)
  for (i in seq_along(doses)) { add(case, paste0("cr2_", doses[i]), found$SE[i]); add(case, paste0("df_", doses[i]), found$df_Satt[i]) }
  # The mean of the post coefficients as a coefficient: all of them together, and differences from the last.
  # (linear_contrast of clubSandwich 0.5.8 stops on one contrast of a weighted fit.)
  last <- paste0("d", tail(post, 1)); z$all <- rowSums(z[paste0("d", post)])
  for (t in head(post, -1)) z[[paste0("d", t)]] <- z[[paste0("d", t)]] - z[[last]]
  z[[last]] <- z$all
  again <- if (is.null(weight)) lm(formula, z) else lm(formula, z, weights = .w)
  one <- conf_int(again, vcov = vcovCR(again, cluster = z[[cluster]], type = "CR2"), coefs = last, level = 0.95)
  add(case, "summary", one$beta); add(case, "summary_se", one$SE); add(case, "summary_df", one$df)
  add(case, "summary_low", one$CI_L); add(case, "summary_high", one$CI_U)
  if (length(pre)) { test <- Wald_test(fit, constraints = constrain_zero(paste0("d", pre)), vcov = V, test = "HTZ")
    add(case, "htz_F", test$Fstat); add(case, "htz_df", test$df_denom); add(case, "htz_p", test$p_val) } }
study("whole", "y")
study("whole_by", "y", by = c("x", "region"))
study("whole_weighted", "y", by = "x", weight = "w")
study("whole_clustered", "y", by = "x", weight = "w", cluster = "region")
study("binary", "y", dose = "treated")
study("gaps", "gaps")
study("gaps_by", "gaps", by = c("x", "region"))
study("gaps_weighted", "gaps", by = "x", weight = "w")
study("gaps_clustered", "gaps", by = "x", weight = "w", cluster = "region")
study("two_periods", "gaps", dose = "treated", years = c(2011, 2012), pre = c(), post = 2012)
write.csv(do.call(rbind, acc), file.path(here, "event_study.csv"), row.names = FALSE, quote = FALSE)
