# Makes trend_bounds_data.csv (event studies) and trend_bounds.csv (what R has of them).
# R 4.2.2, HonestDiD 0.2.8 (asheshrambachan/HonestDiD 6813f02), lpSolveAPI 5.5.2.0-17.14,
# TruncatedNormal 2.3.0001, Rglpk 0.6-4, ECOSolveR 0.5.4, mvtnorm, pracma, Matrix.
# CVXR cannot be had here, and is needed for fixed-length intervals alone. HonestDiD was built
# without it (and without ggplot2 and latex2exp, which draw; TruncatedNormal without alabama,
# qrng and spacefillr, which serve other functions). Its two convex programmes are given below to
# ECOS, the solver that CVXR would have called, and its folded normal quantile, which it draws a
# million times, by the chi-squared distribution. The search for the shortest interval is its own.
#   Rscript tests/golden/make_trend_bounds_golden.R tests/golden   (about ten minutes)
suppressMessages(library(HonestDiD))
folder <- commandArgs(TRUE)[1]
inner <- asNamespace("HonestDiD")
own <- new.env(parent = inner)  # what a replacement sees: the package, and what stands here
own$inner <- inner
replace_in <- function(name, value) {
  environment(value) <- own
  unlockBinding(name, inner)
  assign(name, value, envir = inner)
}

# Event studies: HonestDiD's own example (Benzarti and Carloni 2019) and one of ours.
data(BCdata_EventStudy)
bc <- list(beta = as.vector(BCdata_EventStudy$betahat), sigma = unname(BCdata_EventStudy$sigma),
           times = c(2004:2007, 2009:2012), base = 2008)
made <- function() {
  set.seed(11)
  years <- 2008:2018
  units <- 60
  treated <- rep(0:1, each = units / 2)
  noise <- t(replicate(units, as.vector(arima.sim(list(ar = 0.5), length(years)))))
  effect <- outer(treated, c(0, 0, 0, 0, -0.4, -0.9, -1, -1.1, -1.1, -1.2, -1.2))
  drift <- outer(treated, 0.05 * (years - 2011))
  change <- (noise + effect + drift)[, -4] - (noise + effect + drift)[, 4]
  beta <- colMeans(change[treated == 1, ]) - colMeans(change[treated == 0, ])
  sigma <- (cov(change[treated == 1, ]) + cov(change[treated == 0, ])) / (units / 2)
  list(beta = beta, sigma = sigma, times = years[-4], base = 2011)
}
ours <- made()
wide <- function(case, study) {
  sigma <- matrix(NA, length(study$beta), 10)
  sigma[, seq_along(study$beta)] <- study$sigma
  colnames(sigma) <- paste0("v", 1:10)
  data.frame(case, base = study$base, period = study$times, beta = study$beta, sigma)
}
number <- function(x) ifelse(is.na(x), "", trimws(formatC(x, digits = 15, format = "g")))
tell <- function(frame, name) {
  for (column in names(frame)) if (is.double(frame[[column]])) frame[[column]] <- number(frame[[column]])
  write.csv(frame, file.path(folder, name), row.names = FALSE, quote = FALSE)
}
tell(rbind(wide("bc", bc), wide("ours", ours)), "trend_bounds_data.csv")

cut <- function(study, keep) {
  list(beta = study$beta[keep], sigma = study$sigma[keep, keep])
}
cases <- list(
  bc_first = c(bc, list(before = 4, weights = c(1, 0, 0, 0), low = -0.2, high = 0.6)),
  bc_mean = c(bc, list(before = 4, weights = rep(1, 4) / 4, low = -0.6, high = 1.0)),
  bc_one = c(cut(bc, 1:5), list(before = 4, weights = 1, low = -0.2, high = 0.6)),
  ours_partial = c(ours, list(before = 3, weights = c(0, rep(1, 6) / 6), low = -12, high = 10))
)
rows <- list()
add <- function(case, restriction, multiple, pair, quantity, value) {
  rows[[length(rows) + 1]] <<- data.frame(case, restriction, multiple, pair, quantity, value)
}

# Relative magnitudes: for each step that may be largest (pairs in the order of time, then their
# negatives), R's critical value, and the effects of its grid that its test lets be.
critical <- NA
own$drawn <- drawn <- inner$.compute_least_favorable_cv
replace_in(".compute_least_favorable_cv", function(...) {
  value <- drawn(...)
  assign("critical", value, envir = globalenv())
  value
})
points <- 401
for (name in names(cases)) {
  case <- cases[[name]]
  after <- length(case$beta) - case$before
  identified <- function(multiple) inner$.compute_IDset_DeltaRM(
    multiple, case$beta, matrix(case$weights), case$before, after)
  for (multiple in c(0, 0.5, 1, 2)) {
    pair <- 0
    union <- rep(0, points)
    for (positive in c(TRUE, FALSE)) for (s in (1 - case$before):0) {
      pair <- pair + 1
      if (multiple == 0 && pair > 1) next
      set <- suppressWarnings(inner$.computeConditionalCS_DeltaRM_fixedS(
        s = s, max_positive = positive, Mbar = multiple, betahat = case$beta, sigma = case$sigma,
        numPrePeriods = case$before, numPostPeriods = after, l_vec = matrix(case$weights),
        alpha = 0.05, hybrid_flag = "LF", hybrid_kappa = 0.005, postPeriodMomentsOnly = TRUE,
        gridPoints = points, grid.ub = case$high, grid.lb = case$low))
      union <- pmax(union, set$accept)
      runs <- rle(as.vector(set$accept))
      add(name, "relative_magnitudes", multiple, pair, "critical", critical)
      add(name, "relative_magnitudes", multiple, pair, "accepted", sum(set$accept))
      add(name, "relative_magnitudes", multiple, pair, "first", match(1, set$accept, NA))
      add(name, "relative_magnitudes", multiple, pair, "runs", sum(runs$values))
    }
    grid <- seq(case$low, case$high, length.out = points)
    add(name, "relative_magnitudes", multiple, 0, "low", min(grid[union == 1]))
    add(name, "relative_magnitudes", multiple, 0, "high", max(grid[union == 1]))
    if (after > 1) {
      set <- identified(multiple)
      add(name, "relative_magnitudes", multiple, 0, "identified_low", c(set$id.lb))
      add(name, "relative_magnitudes", multiple, 0, "identified_high", c(set$id.ub))
    }
    message(name, " ", multiple)
  }
  add(name, "relative_magnitudes", 0, 0, "grid_low", case$low)
  add(name, "relative_magnitudes", 0, 0, "grid_high", case$high)
}

# Critical values at a size that 5,000 draws tell well.
for (name in c("bc_mean", "ours_partial")) {
  case <- cases[[name]]
  after <- length(case$beta) - case$before
  basis <- solve(inner$.construct_Gamma(matrix(case$weights)))
  pair <- 0
  for (positive in c(TRUE, FALSE)) for (s in (1 - case$before):0) {
    pair <- pair + 1
    a <- inner$.create_A_RM(case$before, after, Mbar = 1, s = s, max_positive = positive)
    last <- a[, case$before + 1:after]
    value <- drawn((last %*% basis)[, -1], a %*% case$sigma %*% t(a), 0.05, sims = 5000,
                   rowsForARP = which(rowSums(last != 0) > 0), seed = pair)
    add(name, "relative_magnitudes", 1, pair, "critical_5", value)
  }
}

# Fixed-length intervals for smoothness.
parts <- function(sigma, before, l_vec) {
  held <- inner$.createMatricesForVarianceFromW(sigma, before, matrix(l_vec), NULL)
  free <- before + 1:before
  list(q = held$A_quadratic_sd[free, free, drop = FALSE], l = held$A_linear_sd[free], c = c(held$A_constant_sd))
}
# min sum(U) + constant: U >= |cumulated w|, sum(w) given, w'qw + l'w + c <= h^2.
least_bias <- function(h, sigma, numPrePeriods, numPostPeriods, l_vec, M = 1, returnDF = FALSE) {
  k <- numPrePeriods
  held <- parts(sigma, k, l_vec)
  root <- chol(held$q)
  centre <- -solve(held$q, held$l) / 2
  radius <- h^2 - held$c + c(centre %*% held$q %*% centre)
  lower <- 1 * lower.tri(diag(k), diag = TRUE)
  sums <- rbind(cbind(-diag(k), lower), cbind(-diag(k), -lower))
  cone <- rbind(0, cbind(matrix(0, k, k), -root))
  found <- ECOSolveR::ECOS_csolve(
    c = c(rep(1, k), rep(0, k)), G = rbind(sums, cone),
    h = c(rep(0, 2 * k), sqrt(max(radius, 0)), -root %*% centre),
    dims = list(l = as.integer(2 * k), q = as.integer(k + 1), e = 0L),
    A = matrix(c(rep(0, k), rep(1, k)), 1), b = sum(seq_len(numPostPeriods) * l_vec),
    control = ECOSolveR::ecos.control(feastol = 1e-12, abstol = 1e-13, reltol = 1e-13))
  ahead <- sapply(1:numPostPeriods, function(s)
    abs(sum((1:s) * l_vec[(numPostPeriods - s + 1):numPostPeriods])))
  w <- found$x[k + 1:k]
  bad <- found$retcodes["exitFlag"] %in% c(1, 11, 2)
  value <- if (bad) Inf else (sum(ahead) - sum(seq_len(numPostPeriods) * l_vec) + sum(abs(found$x[1:k]))) * M
  result <- list(status = "optimal", value = value, optimal.x = I(list(found$x)),
                 optimal.w = I(list(w)), optimal.l = I(list(.wToLFn(w))))
  if (returnDF) as.data.frame(result) else result
}
least_error <- function(sigma, numPrePeriods, numPostPeriods, l_vec, ...) {
  k <- numPrePeriods
  held <- parts(sigma, k, l_vec)
  inverse <- solve(held$q)
  free <- -inverse %*% held$l / 2
  short <- sum(seq_len(numPostPeriods) * l_vec) - sum(free)
  w <- free + inverse %*% rep(short / sum(inverse), k)
  sqrt(c(t(w) %*% held$q %*% w + held$l %*% w + held$c)) * (1 + 1e-9)
}
own$parts <- parts
replace_in(".findWorstCaseBiasGivenH", least_bias)
replace_in(".findLowestH", least_error)
replace_in(".qfoldednormal", function(p, mu = 0, sd = 1, ...) sd * sqrt(qchisq(p, 1, (mu / sd)^2)))
bends <- list(bc_first = c(0, 0.01, 0.02, 0.05), bc_mean = c(0, 0.01, 0.02, 0.05),
              bc_one = c(0, 0.01, 0.02, 0.05), ours_partial = c(0, 0.05, 0.1, 0.3))
for (name in names(cases)) {
  case <- cases[[name]]
  after <- length(case$beta) - case$before
  for (bend in bends[[name]]) {
    found <- findOptimalFLCI(case$beta, case$sigma, M = bend, numPrePeriods = case$before,
                             numPostPeriods = after, l_vec = matrix(case$weights))
    add(name, "smoothness", bend, 0, "low", found$FLCI[1])
    add(name, "smoothness", bend, 0, "high", found$FLCI[2])
    add(name, "smoothness", bend, 0, "half", c(found$optimalHalfLength))
  }
}
tell(do.call(rbind, rows), "trend_bounds.csv")
