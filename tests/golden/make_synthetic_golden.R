# Synthetic difference-in-differences, synthetic control and difference-in-differences by R.
# R 4.2.2; synthdid 0.0.9 (github.com/synth-inference/synthdid, commit 70c1ce3), nnls 1.4,
# mvtnorm 1.1-3. Run in tests/golden: Rscript make_synthetic_golden.R (about three minutes).
library(synthdid)
library(nnls)

rows <- list()
put <- function(case, quantity, value, label = "") {
  rows[[length(rows) + 1]] <<- data.frame(case, quantity, label, value = as.numeric(value))
}

# ------------------------------------------------------------------------------- the data
# California is the package's own; the other is drawn here, from two factors and unit effects.
prop99 <- read.csv("california_prop99.csv")
if (!file.exists("synthetic_data.csv")) {
  set.seed(20160)
  n0 <- 24; n1 <- 5; periods <- 14
  load <- matrix(rnorm((n0 + n1) * 2), n0 + n1) + c(rep(0, n0), rep(0.7, n1))
  factors <- apply(matrix(rnorm(2 * periods), periods), 2, cumsum)
  y <- 20 + rnorm(n0 + n1, sd = 3) + load %*% t(factors) + matrix(rnorm((n0 + n1) * periods), n0 + n1)
  first <- c(rep(NA, n0), 9, 9, 9, 11, 11)
  for (i in n0 + seq_len(n1)) y[i, first[i]:periods] <- y[i, first[i]:periods] - 2
  x <- matrix(rnorm((n0 + n1) * periods), n0 + n1) + 0.3 * y
  made <- data.frame(unit = rep(sprintf("u%02d", seq_len(n0 + n1)), each = periods),
                     time = rep(2000 + seq_len(periods), n0 + n1),
                     y = round(c(t(y)), 5), x = round(c(t(x)), 5),
                     treated = rep(as.integer(!is.na(first)), each = periods),
                     first = rep(2000 + first, each = periods))
  write.csv(made, "synthetic_data.csv", row.names = FALSE, quote = FALSE, na = "")
}
ours <- read.csv("synthetic_data.csv")
wide <- function(frame, unit, time, value) {
  frame <- frame[order(frame[[unit]], frame[[time]]), ]
  matrix(frame[[value]], length(unique(frame[[unit]])), byrow = TRUE,
         dimnames = list(unique(frame[[unit]]), sort(unique(frame[[time]]))))
}

# -------------------------------------------------- weights at the optimum, by nnls
# min ||Ax - b||^2 + eta ||x||^2 over the simplex: with D = A - b1', the point of least norm of a
# hull, which non-negative least squares finds (Lawson and Hanson 1974, chapter 23).
simplex <- function(A, b, eta, intercept) {
  if (intercept) { A <- sweep(A, 2, colMeans(A)); b <- b - mean(b) }
  D <- A - b
  s <- sqrt(min(colSums(D^2)))
  n <- ncol(D)
  u <- nnls(rbind(D / s, diag(sqrt(eta) / s, n), 1), c(rep(0, nrow(D) + n), 1))$x
  u / sum(u)
}
noise_of <- function(Y, N0, T0) sd(apply(Y[1:N0, 1:T0], 1, diff))
exact_weights <- function(Y, N0, T0, kind, zeta.omega, zeta.lambda) {
  Yc <- synthdid:::collapsed.form(Y, N0, T0)
  lambda <- switch(kind, sdid = simplex(Yc[1:N0, 1:T0], Yc[1:N0, T0 + 1], N0 * zeta.lambda^2, TRUE),
                   sc = rep(0, T0), did = rep(1 / T0, T0))
  omega <- switch(kind, did = rep(1 / N0, N0),
                  simplex(t(Yc[1:N0, 1:T0]), Yc[N0 + 1, 1:T0], T0 * zeta.omega^2, kind == "sdid"))
  list(lambda = lambda, omega = omega)
}
exact <- function(Y, N0, T0, kind, zeta.omega, zeta.lambda) {
  weights <- exact_weights(Y, N0, T0, kind, zeta.omega, zeta.lambda)
  synthdid_estimate(Y, N0, T0, weights = weights, update.omega = FALSE, update.lambda = FALSE,
                    zeta.omega = zeta.omega, zeta.lambda = zeta.lambda,
                    omega.intercept = kind != "sc")
}
penalised <- function(Y, N0, T0, omega, zeta.omega, intercept) {
  Yc <- synthdid:::collapsed.form(Y, N0, T0)
  err <- c(t(Yc[, 1:T0]) %*% c(omega, -1))
  if (intercept) err <- err - mean(err)
  zeta.omega^2 * sum(omega^2) + sum(err^2) / T0
}

THEIRS <- list(sdid = synthdid_estimate, sc = sc_estimate, did = did_estimate)
cases <- function(name, Y, N0, T0, sets) {
  noise <- noise_of(Y, N0, T0)
  N1 <- nrow(Y) - N0; T1 <- ncol(Y) - T0
  put(name, "noise", noise)
  for (kind in names(THEIRS)) {
    case <- paste(name, kind, sep = "_")
    zo <- if (kind == "sc") 1e-6 * noise else (N1 * T1)^(1 / 4) * noise
    zl <- 1e-6 * noise
    default <- THEIRS[[kind]](Y, N0, T0)
    best <- exact(Y, N0, T0, kind, zo, zl)
    w <- attr(best, "weights"); wd <- attr(default, "weights")
    put(case, "estimate", best)
    put(case, "estimate_default", default)
    for (i in seq_len(N0)) put(case, "omega", w$omega[i], rownames(Y)[i])
    for (t in seq_len(T0)) put(case, "lambda", w$lambda[t], colnames(Y)[t])
    put(case, "objective", penalised(Y, N0, T0, w$omega, zo, kind != "sc"))
    put(case, "objective_default", penalised(Y, N0, T0, wd$omega, zo, kind != "sc"))
    curve <- synthdid_effect_curve(best)
    for (t in seq_len(T1)) put(case, "effect", curve[t], colnames(Y)[T0 + t])
    if (kind != "did") {
      tight <- THEIRS[[kind]](Y, N0, T0, min.decrease = 1e-8 * noise, max.iter = 3e5)
      put(case, "estimate_tight", tight)
      put(case, "objective_tight", penalised(Y, N0, T0, attr(tight, "weights")$omega, zo, kind != "sc"))
    }
    if (N1 > 1) {
      put(case, "jackknife_se", synthdid:::jackknife_se(best))
      put(case, "jackknife_se_default", synthdid:::jackknife_se(default))
    }
    # Algorithm 4, set by set; by its own weights, and by weights at the optimum.
    opts <- attr(default, "opts")
    for (set in sets) {
      ind <- c(setdiff(seq_len(N0), set), set)
      label <- paste(rownames(Y)[set], collapse = "+")
      put(case, "placebo", exact(Y[ind, ], N0 - N1, T0, kind, zo, zl), label)
      start <- wd; start$omega <- synthdid:::sum_normalize(wd$omega[ind[1:(N0 - N1)]])
      put(case, "placebo_default",
          do.call(synthdid_estimate, c(list(Y = Y[ind, ], N0 = N0 - N1, T0 = T0, weights = start), opts)), label)
    }
  }
}

Y <- wide(prop99, "State", "Year", "PacksPerCapita")
last <- which(rownames(Y) == "California")
Y <- rbind(Y[-last, ], Y[last, , drop = FALSE])
cases("prop99", Y, 38, 19, as.list(1:38))

Y <- wide(ours, "unit", "time", "y")
set.seed(7)
sets <- lapply(1:40, function(at) sort(sample(24, 5)))
cases("block", Y, 24, 10, sets)  # all five from 2011 on, whatever `first` says

# Staggered: each group of first periods against those never treated, averaged by treated cells.
first <- tapply(ours$first, ours$unit, function(v) v[1])
groups <- sort(unique(first[!is.na(first)]))
for (kind in names(THEIRS)) {
  total <- 0; cells <- 0
  for (g in groups) {
    held <- rbind(Y[is.na(first), ], Y[which(first == g), , drop = FALSE])
    T0 <- sum(as.integer(colnames(Y)) < g); N1 <- nrow(held) - 24; T1 <- ncol(Y) - T0
    noise <- noise_of(held, 24, T0)
    zo <- if (kind == "sc") 1e-6 * noise else (N1 * T1)^(1 / 4) * noise
    found <- exact(held, 24, T0, kind, zo, 1e-6 * noise)
    put(paste0("staggered_", kind), "estimate_of", found, g)
    total <- total + N1 * T1 * found; cells <- cells + N1 * T1
  }
  put(paste0("staggered_", kind), "estimate", total / cells)
}

# A covariate: its slope by two-way fixed effects over the comparison units, then what is left.
X <- wide(ours, "unit", "time", "x")
co <- ours[ours$treated == 0, ]
beta <- coef(lm(y ~ x + factor(unit) + factor(time), data = co))["x"]
put("covariate_sdid", "beta", beta)
R <- Y - beta * X
noise <- noise_of(R, 24, 10)
put("covariate_sdid", "estimate", exact(R, 24, 10, "sdid", 20^(1 / 4) * noise, 1e-6 * noise))

out <- do.call(rbind, rows)
out$value <- formatC(out$value, digits = 12, format = "g")
write.csv(out, "synthetic.csv", row.names = FALSE, quote = FALSE)
