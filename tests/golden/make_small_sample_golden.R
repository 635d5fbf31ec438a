# Reference numbers from R for standard errors and degrees of freedom in small samples and with few clusters.
# Run from anywhere:  Rscript make_small_sample_golden.R      (about a minute)
# Reads clustered_data.csv beside itself, writes small_sample.csv. README.md says what is what.
suppressPackageStartupMessages({ library(sandwich); library(clubSandwich); library(estimatr) })
options(digits = 15, stringsAsFactors = FALSE)
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
d <- read.csv(file.path(here, "clustered_data.csv")); d$group <- factor(d$group); d$row <- d$id
stopifnot(!is.unsorted(d$id))                                     # "the first rows" are the first by id
acc <- list()
add <- function(case, quantity, value) acc[[length(acc) + 1L]] <<- data.frame(case = case, quantity = quantity,
  value = ifelse(is.finite(as.numeric(value)), sprintf("%.12g", as.numeric(value)), "NA"))
num <- c("x1", "x2", "x3", "b1"); all5 <- c(num, "group")

## ------------------------------------------------------------------ subsets
areas <- function(last, k) transform(d[d$area <= last, ], treat = as.integer(area <= k))      # the first k areas are treated
first <- function(treated, others) d[sort(c(which(d$treat == 1)[seq_len(treated)], which(d$treat == 0)[seq_len(others)])), ]
six <- d[d$area <= 6, ]
sets <- list(
  all          = list(d, all5, c("area", "area2", "region", "row")),
  areas6       = list(six, all5, c("area", "area2", "row")),
  one_of_12    = list(areas(12, 1), all5, c("area", "area2")),
  two_of_12    = list(areas(12, 2), all5, c("area", "area2", "region")),
  four_of_12   = list(areas(12, 4), all5, c("area", "row")),
  four_of_30   = list(areas(30, 4), all5, c("area", "area2")),
  two_of_5     = list(transform(d, treat = as.integer(region <= 2)), all5, c("region", "area")),
  five_treated = list(first(5, 40), c("x1", "x2"), c("area", "area2", "region", "row")),
  eight_each   = list(first(8, 8), "x1", c("area2", "region", "row")),
  lone_c       = list(six[six$group != "c" | cumsum(six$group == "c") == 1, ], all5, c("area", "row")),    # one row has leverage 1
  b1_treated   = list(six[six$treat == 0 | six$b1 == 1, ], all5, c("area", "area2", "row")),               # b1 does not vary among the treated
  b1_all       = list(six[six$b1 == 1, ], all5, c("area", "row")))                                         # nor anywhere

## ------------------------------------------------------------------ fits
dummies <- function(z, covs) { m <- model.matrix(reformulate(covs), z)[, -1, drop = FALSE]; colnames(m) <- paste0("z", seq_len(ncol(m))); m }
# smallest singular value of I - H_jj over clusters: where it is nought CR3 does not exist
room <- function(fit, cl) { X <- model.matrix(fit)[, !is.na(coef(fit)), drop = FALSE]; w <- if (is.null(weights(fit))) rep(1, nrow(X)) else weights(fit)
  M <- solve(crossprod(X * sqrt(w)))
  min(sapply(split(seq_len(nrow(X)), cl), function(i) { x <- X[i, , drop = FALSE]; min(svd(diag(length(i)) - x %*% M %*% t(x * w[i]), 0, 0)$d) })) }
cr <- function(case, lab, fit, ...) { r <- coef_test(fit, ..., coefs = "treat"); add(case, paste0(lab, "_se"), r$SE); add(case, paste0(lab, "_df"), r$df_Satt) }
for (s in names(sets)) { z <- sets[[s]][[1]]; covs <- sets[[s]][[2]]; clusters <- sets[[s]][[3]]; t0 <- proc.time()[3]
  for (weighted in c(FALSE, TRUE)) { z$.w <- if (weighted) z$sw else 1
    D <- dummies(z, covs); on <- z$treat == 1
    C <- sweep(D, 2, apply(D[on, , drop = FALSE], 2, weighted.mean, z$.w[on]))                # centred at the treated's weighted mean
    C[abs(C) < 1e-12] <- 0                                                                   # a mean of equal numbers, to the last digit
    zz <- cbind(z[, c("y", "treat", ".w", clusters)], C); plus <- paste(colnames(C), collapse = " + ")
    forms <- list(difference = y ~ treat, covariance_adjusted = as.formula(paste("y ~ treat +", plus)), adjusted = as.formula(paste("y ~ treat * (", plus, ")")))
    for (m in names(forms)) { case <- paste0(s, "_", m, if (weighted) "_sw"); f <- forms[[m]]; environment(f) <- environment()
      fit <- if (weighted) lm(f, zz, weights = .w) else lm(f, zz)
      add(case, "n", nrow(zz)); add(case, "n_treated", sum(on)); add(case, "rank", fit$rank); add(case, "aliased", sum(is.na(coef(fit))))
      add(case, "estimate", coef(fit)[["treat"]]); full <- 1 - max(hatvalues(fit)) > 1e-8
      for (h in paste0("HC", 0:3)) add(case, paste0(tolower(h), "_se"), if (full || h < "HC2") sqrt(vcovHC(fit, h)["treat", "treat"]) else NA)
      if (m == "difference" && !weighted) { w <- t.test(z$y[on], z$y[!on]); add(case, "welch_se", w$stderr); add(case, "welch_df", w$parameter) }
      rob <- function(...) { a <- list(f, zz, ...); if (weighted) a$weights <- zz$.w; r <- do.call(lm_robust, a); c(r$std.error[["treat"]], r$df[["treat"]]) }
      if (full) { r <- rob(se_type = "HC2"); add(case, "estimatr_hc2_se", r[1]); add(case, "estimatr_hc2_df", r[2]) }
      for (k in clusters) { cl <- zz[[k]]; add(case, paste0(k, "_clusters"), length(unique(cl))); lone <- room(fit, cl) < 1e-8
        for (type in paste0("CR", 0:3)) { if (k == "row" && type < "CR2") next
          lab <- paste0(k, "_", tolower(type))
          if (type == "CR3" && lone) { add(case, paste0(lab, "_se"), NA); add(case, paste0(lab, "_df"), NA); next }
          cr(case, lab, fit, vcov = type, cluster = cl)
          if (weighted && type == "CR2") cr(case, paste0(lab, "_inverse"), fit, vcov = type, cluster = cl, inverse_var = TRUE) }
        if (k != "row" || nrow(zz) < 100) { r <- tryCatch(rob(clusters = cl, se_type = "CR2"), error = function(e) c(NA, NA))
          add(case, paste0(k, "_estimatr_cr2_se"), r[1]); add(case, paste0(k, "_estimatr_cr2_df"), r[2]) } } } }
  cat(sprintf("%-13s %4d rows %3d treated  %.1fs\n", s, nrow(z), sum(on), proc.time()[3] - t0)) }
rows <- do.call(rbind, acc); stopifnot(!anyDuplicated(rows[, 1:2])); cat(nrow(rows), "rows,", length(unique(rows$case)), "cases\n")
write.csv(rows, file.path(here, "small_sample.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
