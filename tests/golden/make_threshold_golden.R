# Reference numbers from R for regression discontinuity: rdrobust, rddensity, RDHonest.
# Run from anywhere:  Rscript make_threshold_golden.R [library]      (some seconds)
# R 4.2.2; rdrobust 4.0.0 (34aac07), rddensity 3.0 (94a4583), RDHonest 1.0.1.9000 (2625133), Formula 1.2-4, MASS 7.3-58.2.
# Built from source without what only draws: rdrobust without rdplot and ggplot2, rddensity without rdplotdensity,
# ggplot2 and lpdensity; RDHonest's "R (>= 4.3.0)" was lowered to 4.0.0, its code is untouched.
# Writes threshold_data.csv and threshold.csv beside itself. README.md says what is what.
given <- commandArgs(TRUE); if (length(given)) .libPaths(c(given[1], .libPaths()))
suppressPackageStartupMessages({ library(rdrobust); library(rddensity); library(RDHonest) })
options(digits = 15, stringsAsFactors = FALSE)
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
acc <- list()
add <- function(case, ...) { v <- c(...); for (n in names(v)) acc[[length(acc) + 1L]] <<- data.frame(case = case, quantity = n,
  value = ifelse(is.finite(v[[n]]), sprintf("%.12g", v[[n]]), "NA")) }

## ------------------------------------------------------------------ data
set.seed(20260511)
n <- 900
x <- round(2 * rbeta(n, 2, 3) - 0.75, 5)                 # continuous, cutoff 0
score <- round(20 * x)                                   # whole numbers from -15 to 25: many ties
few <- pmin(pmax(round(4 * x), -3), 4)                   # eight values, -3 to 4
z1 <- round(rnorm(n) + 0.3 * x, 4); z2 <- as.integer(runif(n) < 0.4)
above <- as.integer(x >= 0)
t <- as.integer(runif(n) < ifelse(x >= 0, 0.85, 0.1))    # not all take it up
one <- ifelse(x >= 0, t, 0L)                             # nobody below does
side <- sample(20, n, TRUE) + 20 * above                 # clusters that lie on one side each
mixed <- sample(30, n, TRUE)                             # clusters that lie on both
u <- rnorm(40, 0, 0.2)[side]
y <- round(1 + 0.8 * x + 1.5 * x^2 - x^3 + 0.4 * t + 0.5 * z1 + 0.2 * z2 + u + rnorm(n, 0, 0.6 + 0.3 * above), 5)
d <- data.frame(id = sprintf("u%03d", 1:n), x, score, few, z1, z2, t, one, side, mixed, y)
write.csv(d[order(runif(n)), ], file.path(here, "threshold_data.csv"), row.names = FALSE, quote = FALSE)
Z <- cbind(z1, z2)

## ------------------------------------------------------------------ rdrobust
robust <- function(name, ...) { r <- suppressWarnings(rdrobust(...)); add(name, tau_us = r$Estimate[1], tau_bc = r$Estimate[2],
  se_us = r$Estimate[3], se_rb = r$Estimate[4], ci_low = r$ci[3, 1], ci_high = r$ci[3, 2], p = r$pv[3], h = r$bws[1, 1], b = r$bws[2, 1],
  n_left = r$N_h[1], n_right = r$N_h[2]) }
for (k in c("triangular", "uniform", "epanechnikov")) robust(paste0("robust_", k), y, x, kernel = k)
robust("robust_h", y, x, h = 0.4); robust("robust_h_b", y, x, h = 0.3, b = 0.45)
robust("robust_order2", y, x, p = 2); robust("robust_order0", y, x, p = 0)
robust("robust_level90", y, x, level = 90)
robust("robust_covs", y, x, covs = Z); robust("robust_covs_h", y, x, covs = Z, h = 0.4)
robust("robust_fuzzy", y, x, fuzzy = t); robust("robust_fuzzy_h", y, x, fuzzy = t, h = 0.4)
robust("robust_fuzzy_one", y, x, fuzzy = one); robust("robust_fuzzy_covs", y, x, fuzzy = t, covs = Z)
robust("robust_cluster", y, x, cluster = side); robust("robust_cluster_h_b", y, x, cluster = side, h = 0.3, b = 0.45)
robust("robust_cluster_covs", y, x, cluster = side, covs = Z)
robust("robust_score", y, score); robust("robust_score_covs", y, score, covs = Z)
robust("robust_moved", y, x + 3, c = 3)

## ------------------------------------------------------------------ rddensity
density <- function(name, ...) { r <- suppressWarnings(rddensity(...)); add(name, left = r$hat$left, right = r$hat$right, t = r$test$t_jk, p = r$test$p_jk,
  h_left = r$h$left, h_right = r$h$right) }
density("density_x", x); density("density_h", x, h = 0.3); density("density_score", score)
density("density_bunched", c(x, abs(x[abs(x) < 0.1])))

## ------------------------------------------------------------------ RDHonest
honest <- function(name, fit) { r <- suppressMessages(fit)$coefficients; add(name, estimate = r$estimate, se = r$std.error, bias = r$maximum.bias,
  ci_low = r$conf.low, ci_high = r$conf.high, cv = r$cv, p = r$p.value, h = r$bandwidth) }
for (k in c("triangular", "uniform", "epanechnikov")) honest(paste0("honest_few_", k), RDHonest(y ~ few, data = d, M = 0.1, h = 3, kern = k))
honest("honest_few_M1", RDHonest(y ~ few, data = d, M = 1, h = 3, kern = "uniform"))
honest("honest_few_M0", RDHonest(y ~ few, data = d, M = 0, h = 3, kern = "uniform"))
honest("honest_few_90", RDHonest(y ~ few, data = d, M = 0.1, h = 3, alpha = 0.1))
honest("honest_score", RDHonest(y ~ score, data = d, M = 0.01, h = 8)); honest("honest_x", RDHonest(y ~ x, data = d, M = 3, h = 0.4))
honest("honest_covs", RDHonest(y ~ few | z1 + z2, data = d, M = 0.1, h = 3))
honest("honest_fuzzy", RDHonest(y | t ~ few, data = d, M = c(0.1, 0.02), h = 3))
honest("honest_cluster", RDHonest(y ~ few, data = d, M = 0.1, h = 3, clusterid = mixed, se.method = "EHW"))
# The bandwidth with the least greatest mean squared error, given the variance within values on either side.
within <- function(x, y) { s <- sign(x + 0.5); r <- y - ave(y, x); k <- tapply(x, s, function(v) length(v) - length(unique(v)))
  as.numeric((tapply(r^2, s, sum) / k)[as.character(s)]) }
d$v <- within(d$few, d$y); d$w <- within(d$score, d$y)
for (k in c("triangular", "uniform")) { honest(paste0("honest_few_best_", k), RDHonest(y ~ few, data = d, M = 0.1, kern = k, sigmaY2 = v))
  honest(paste0("honest_score_best_", k), RDHonest(y ~ score, data = d, M = 0.01, kern = k, sigmaY2 = w)) }

out <- do.call(rbind, acc)
write.csv(out, file.path(here, "threshold.csv"), row.names = FALSE, quote = FALSE)
cat(nrow(out), "numbers\n")
